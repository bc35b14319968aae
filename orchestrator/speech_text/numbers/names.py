"""Names from CLDR: months, units, currencies. Read once per locale, on first use."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from orchestrator.speech_text.numbers.conventions import Conventions

if TYPE_CHECKING:
    from babel import Locale

# Signs of currencies; the ones of several letters are tried first.
SIGNS: Final = {
    "US$": "USD",
    "R$": "BRL",
    "A$": "AUD",
    "C$": "CAD",
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "￥": "JPY",
    "₹": "INR",
    "₺": "TRY",
    "₩": "KRW",
    "₴": "UAH",
    "₪": "ILS",
    "₽": "RUB",
    "zł": "PLN",
}
_CODES: Final = "USD EUR GBP JPY CHF CNY INR PLN TRY BRL CAD AUD NZD SEK NOK DKK CZK HUF KRW MXN ZAR"
CODES: Final = frozenset(_CODES.split())
# What people say for a sign. CLDR has the formal names ("US dollars"), which are said for a code ("5 USD").
_SHORT: Final = {
    "en": {"USD": "dollar dollars", "GBP": "pound pounds", "JPY": "yen yen", "INR": "rupee rupees"},
    "de": {"USD": "Dollar Dollar", "GBP": "Pfund Pfund", "JPY": "Yen Yen"},
    "fr": {"USD": "dollar dollars", "GBP": "livre livres", "JPY": "yen yens"},
    "es": {"USD": "dólar dólares", "GBP": "libra libras", "JPY": "yen yenes"},
    "it": {"USD": "dollaro dollari", "GBP": "sterlina sterline", "JPY": "yen yen"},
    "pt": {
        "USD": "dólar dólares",
        "GBP": "libra libras",
        "JPY": "iene ienes",
        "BRL": "real reais",
        "EUR": "euro euros",
    },
    "nl": {"USD": "dollar dollar", "GBP": "pond pond", "JPY": "yen yen"},
    "pl": {
        "USD": "dolar dolary dolarów dolara",
        "GBP": "funt funty funtów funta",
        "JPY": "jen jeny jenów jena",
        "PLN": "złoty złote złotych złotego",
    },
    "tr": {"USD": "dolar dolar", "EUR": "euro euro", "GBP": "sterlin sterlin", "JPY": "yen yen", "TRY": "lira lira"},
    "ja": {"USD": "ドル ドル", "GBP": "ポンド ポンド"},
    "zh": {"CNY": "元 元"},
    "hi": {"USD": "डॉलर डॉलर", "GBP": "पाउंड पाउंड", "INR": "रुपया रुपये"},
}
_HUNDREDTHS: Final = {
    "en": {"": "cent cents", "GBP": "penny pence"},
    "de": {"": "Cent Cent", "GBP": "Penny Pence"},
    "fr": {"EUR": "centime centimes", "": "cent cents"},
    "es": {"EUR": "céntimo céntimos", "": "centavo centavos", "GBP": "penique peniques"},
    "it": {"": "centesimo centesimi", "GBP": "penny penny"},
    "pt": {"EUR": "cêntimo cêntimos", "": "centavo centavos"},
    "nl": {"": "cent cent", "GBP": "penny penny"},
    "pl": {"": "cent centy centów", "PLN": "grosz grosze groszy", "GBP": "pens pensy pensów"},
    "tr": {"": "sent sent", "TRY": "kuruş kuruş"},
}
_WITH_HUNDREDTHS: Final = frozenset({"USD", "EUR", "GBP", "PLN", "TRY", "BRL", "CAD", "AUD"})
# Units as they are written, in every language.
UNITS: Final = {
    "km": "length-kilometer",
    "m": "length-meter",
    "cm": "length-centimeter",
    "mm": "length-millimeter",
    "ft": "length-foot",
    "mi": "length-mile",
    "kg": "mass-kilogram",
    "g": "mass-gram",
    "mg": "mass-milligram",
    "lb": "mass-pound",
    "lbs": "mass-pound",
    "oz": "mass-ounce",
    "l": "volume-liter",
    "L": "volume-liter",
    "ml": "volume-milliliter",
    "mL": "volume-milliliter",
    "kB": "digital-kilobyte",
    "KB": "digital-kilobyte",
    "MB": "digital-megabyte",
    "GB": "digital-gigabyte",
    "TB": "digital-terabyte",
    "Hz": "frequency-hertz",
    "kHz": "frequency-kilohertz",
    "MHz": "frequency-megahertz",
    "GHz": "frequency-gigahertz",
    "kW": "power-kilowatt",
    "kWh": "energy-kilowatt-hour",
    "km/h": "speed-kilometer-per-hour",
    "mph": "speed-mile-per-hour",
    "m²": "area-square-meter",
    "km²": "area-square-kilometer",
    "min": "duration-minute",
    "ms": "duration-millisecond",
    "%": "concentr-percent",
    "°C": "temperature-celsius",
    "°F": "temperature-fahrenheit",
    "°": "angle-degree",
    "℃": "temperature-celsius",
    "℉": "temperature-fahrenheit",
}


class Names:
    """The names that one language and region give to things that numbers count."""

    def __init__(self, conventions: Conventions) -> None:
        from babel import Locale  # noqa: PLC0415 (read on the first number, not when the process starts)

        self._language = conventions.language
        self._locale: Locale = Locale.parse(conventions.locale)
        symbols = self._locale.number_symbols["latn"]
        self.group: str = symbols["group"]
        self.decimal: str = symbols["decimal"]
        months = self._locale.months["format"]
        self.months: dict[int, str] = dict(months["wide"])
        self.month_numbers: dict[str, int] = {}
        for number, name in months["wide"].items():
            abbreviated = months["abbreviated"][number].rstrip(".")
            standalone = self._locale.months["stand-alone"]["wide"][number]
            for written in {name, abbreviated, f"{abbreviated}.", standalone}:
                if not written[0].isdigit():
                    self.month_numbers[written] = number
                    self.month_numbers[written[0].upper() + written[1:]] = number
        if conventions.language == "en":
            self.month_numbers |= {"Sept": 9, "Sept.": 9, "Sep": 9, "Sep.": 9}

    def plural(self, value: Decimal) -> str:
        """CLDR's plural category of a number: "one", "few", "many", "other"."""
        return str(self._locale.plural_form(value))

    def unit(self, value: Decimal, unit: str) -> tuple[str, str] | None:
        """What is said before and behind `value` of a unit."""
        return _unit(self._locale, value if value < 1000 else value % 1000 + 1000, unit)

    def currency(self, value: Decimal, code: str, *, formal: bool) -> str:
        """A currency's name as `value` of it are called."""
        short = _SHORT.get(self._language, {}).get(code)
        if short is None or formal:
            return _currency(self._locale, value if value < 1000 else value % 1000 + 1000, code)
        return self._form(value, short)

    def hundredths(self, value: int, code: str) -> str:
        """The name of a currency's hundredths; "" where it has none or they are not known."""
        forms = _HUNDREDTHS.get(self._language, {})
        if code not in _WITH_HUNDREDTHS or not forms:
            return ""
        return self._form(Decimal(value), forms.get(code) or forms[""])

    def _form(self, value: Decimal, forms: str) -> str:
        several = forms.split(" ")
        category = self.plural(value)
        if category == "one" and not (self._language in {"fr", "pt"} and value == 0):
            return several[0]
        if len(several) == 2:
            return several[1]
        return several[{"few": 1, "many": 2}.get(category, len(several) - 1)]


@lru_cache(maxsize=1024)
def _unit(locale: Locale, value: Decimal, unit: str) -> tuple[str, str] | None:
    from babel.numbers import format_decimal  # noqa: PLC0415
    from babel.units import format_unit  # noqa: PLC0415

    said = _plain_blanks(format_unit(value, unit, "long", locale=locale))
    number = _plain_blanks(format_decimal(value, locale=locale))
    if unit in said or number not in said:
        return None
    before, behind = said.split(number, 1)
    return (before, behind) if not any(sign in before + behind for sign in "/°%") else None


@lru_cache(maxsize=1024)
def _currency(locale: Locale, value: Decimal, code: str) -> str:
    from babel.numbers import get_currency_name  # noqa: PLC0415

    return _plain_blanks(get_currency_name(code, value, locale=locale))


def _plain_blanks(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")
