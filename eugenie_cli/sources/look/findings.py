"""What was found in sample exports, and what a person has to check."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """`what`: such as "delimiter"; `found`: in words or as in the site file; `evidence`: what shows it."""

    what: str
    found: str
    evidence: str = ""


@dataclass(frozen=True)
class Check:
    """A decision that the data do not make. `key`: where it is in the entry, such as `ts` or `value`; `question`: what
    to check, with what was chosen; `instead`: what to write if another answer is right.
    """

    key: str
    question: str
    instead: str = ""

    @property
    def words(self) -> str:
        """Both on one line."""
        return f"{self.question}; {self.instead}" if self.instead else self.question


@dataclass
class Notes:
    """Collects findings and checks while a group of files is looked at."""

    findings: list[Finding] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)

    def find(self, what: str, found: str, evidence: str = "") -> None:
        """Add a finding, once."""
        finding = Finding(what, found, evidence)
        if finding not in self.findings:
            self.findings.append(finding)

    def check(self, key: str, question: str, instead: str = "") -> None:
        """Add a check, once."""
        check = Check(key, question, instead)
        if check not in self.checks:
            self.checks.append(check)
