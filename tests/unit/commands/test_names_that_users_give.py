"""A class or asset that the site does not have: every command gives the same error, before it does anything else."""

from __future__ import annotations

import pytest

from eugenie_cli.main import main

MANY = 500
CLASS_COMMANDS = [
    ("train", "NAME"),
    ("train", "--class", "NAME"),
    ("train", "pump", "--class", "NAME"),
    ("evaluate", "NAME"),
    ("evaluate", "--class", "NAME"),
    ("export", "NAME"),
    ("export", "--class", "NAME"),
    ("export", "NAME", "--model-version", "3"),
    ("models", "list", "NAME"),
    ("models", "list", "--class", "NAME"),
    ("models", "promote", "NAME", "1"),
    ("models", "rollback", "NAME"),
    ("models", "drift", "NAME"),
    ("models", "drift", "--class", "NAME"),
    ("stream", "replay", "--class", "NAME"),
    ("stream", "replay", "--bounded", "--class", "NAME"),
    ("serve", "render", "--target", "kserve", "--canary", "NAME=10"),
]
ASSET_COMMANDS = [
    ("history", "quality", "NAME"),
    ("history", "quality", "--asset", "NAME"),
    ("anomalies", "list", "NAME"),
    ("anomalies", "list", "--asset", "NAME"),
    ("anomalies", "tail", "NAME"),
    ("anomalies", "tail", "--asset", "NAME"),
    ("stream", "replay", "--asset", "NAME"),
    ("stream", "replay", "--bounded", "--asset", "NAME"),
]


@pytest.fixture
def run(monkeypatch, capsys, tmp_path):
    """`run(words)` -> (exit code, stdout, stderr), in the folder of a plant with many classes and assets."""
    (tmp_path / "site-configs").mkdir()
    classes = "".join(f"  pump-{number}: *pump\n" for number in range(MANY))
    assets = "".join(f"  P-{number}: {{class: pump-{number}}}\n" for number in range(MANY))
    text = f"site: plant\nclasses:\n  pump: &pump {{sensors: [{{name: flow}}]}}\n{classes}"
    text += f"assets:\n  P: {{class: pump}}\n{assets}"
    (tmp_path / "site-configs" / "plant.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("EUGENIE_SITE", raising=False)

    def command(words: tuple[str, ...]) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["eugenie", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        streams = capsys.readouterr()
        return int(stop.value.code or 0), streams.out, streams.err

    return command


@pytest.mark.slow
@pytest.mark.parametrize("words", CLASS_COMMANDS, ids=" ".join)
def test_a_class_that_the_site_does_not_have(run, words):
    check(*run(tuple(word.replace("NAME", "pmup") for word in words)), "there is no class pmup (did you mean pump?)")


@pytest.mark.slow
@pytest.mark.parametrize("words", ASSET_COMMANDS, ids=" ".join)
def test_an_asset_that_the_site_does_not_have(run, words):
    check(*run(tuple(word.replace("NAME", "P_7") for word in words)), "there is no asset P_7 (did you mean P-7?)")


def check(code: int, out: str, err: str, words: str) -> None:
    error, following = err.strip().splitlines()
    assert (code, out) == (2, "")
    assert words in error
    assert following.count(",") == 19 and following.endswith(f"and {MANY + 1 - 20} more")


def test_control_characters_are_escaped_in_messages(run):
    code, _, err = run(("export", "pu\x1b[2Jmp"))
    assert code == 2 and "\x1b" not in err and "there is no class pu\\x1b[2Jmp" in err


@pytest.mark.parametrize(("words", "what"), [(("train", ""), "class"), (("history", "quality", ""), "asset")])
def test_an_empty_name_is_quoted(run, words, what):
    code, _, err = run(words)
    assert code == 2 and f"there is no {what} ''" in err


@pytest.mark.slow
@pytest.mark.parametrize("words", [("import", "exprot"), ("history", "drop", "exprot")], ids=" ".join)
def test_a_source_that_the_site_does_not_have(run, tmp_path, words):
    file = tmp_path / "site-configs" / "plant.yaml"
    file.write_text("sources: [{name: export, type: csv, path: x, readings: {tag: {path: t}}}]\n" + file.read_text())
    code, _, err = run(words)
    assert code == 2 and "there is no source exprot (did you mean export?)" in err
    assert "sources of site plant: export" in err
