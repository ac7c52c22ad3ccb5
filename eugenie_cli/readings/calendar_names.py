"""Names of months and days, in a table, so that the result does not depend on the machine's locale.

Exports use the language of the machine that wrote them. Names are looked up without case, accents, and the period that
some languages put after an abbreviation. No name here means two months; a test ensures that.
"""

from __future__ import annotations

import unicodedata


def key(name: str) -> str:
    """A name in the form in which the tables hold it."""
    folded = unicodedata.normalize("NFKD", name.rstrip(".").casefold()).replace("ı", "i")
    return "".join(character for character in folded if not unicodedata.combining(character))


# en, de, fr, es, it, pt, nl, tr, pl, sv, da and nb, cs, hu, ru; nominative and, where dates use it, genitive
_MONTHS = (
    "jan january januar jänner jän janv janvier ene enero gen gennaio janeiro januari oca ocak sty stycznia styczeń"
    " led leden ledna január янв январь января",
    "feb february februar févr fevr février fevrier febrero febbraio fev fevereiro februari şub şubat lut luty lutego"
    " úno únor února február фев февр февраль февраля",
    "mar march mär mrz märz maerz mars marzo março marco mrt maart mart marca marzec"
    " bře březen března márc március мар март марта",
    "apr april avr avril abr abril aprile nis nisan kwi kwietnia kwiecień"
    " dub duben dubna ápr április апр апрель апреля",
    "may mai mayo mag maggio maio mei mayıs maja maj kvě květen května máj május май мая",
    "jun june juni juin junio giu giugno junho haz haziran cze czerwca czerwiec"
    " čvn červen června jún június июн июнь июня",
    "jul july juli juil juillet julio lug luglio julho tem temmuz lip lipca lipiec"
    " čvc červenec července júl július июл июль июля",
    "aug august août aout ago agosto augustus augusti ağu ağustos sie sierpnia sierpień"
    " srp srpen srpna augusztus авг август августа",
    "sep sept september septembre septiembre set settembre setembro eyl eylül wrz września wrzesień"
    " zář září szept szeptember сен сент сентябрь сентября",
    "oct october okt oktober octobre octubre ott ottobre out outubro eki ekim paź października październik"
    " říj říjen října október окт октябрь октября",
    "nov november novembre noviembre novembro kas kasım lis listopada listopad listopadu ноя нояб ноябрь ноября",
    "dec december dez dezember déc décembre decembre dic diciembre dicembre dezembro ara aralık des desember"
    " gru grudnia grudzień"
    " pro prosinec prosince дек декабрь декабря",
)
MONTHS = {key(name): number for number, names in enumerate(_MONTHS, 1) for name in names.split()}
"""Key of a name -> 1 to 12."""

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKDAYS = {name: number for number, day in enumerate(_DAYS) for name in (day, day[:3])} | {
    "tues": 1, "thur": 3, "thurs": 3,
}  # fmt: skip
"""Key of an English name -> 0 (Monday) to 6."""
