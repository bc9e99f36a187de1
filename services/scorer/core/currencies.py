"""ISO 4217: which currency codes exist, and how many minor units make a major one.

Source: ISO 4217 list one (active codes), without the codes for metals, funds and testing.
"""

from __future__ import annotations

from typing import Final

_CODES_IN_USE: Final = """
AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD
CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD
GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT
LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR
NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP
STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD
XCG XOF XPF YER ZAR ZMW ZWG
"""
_WITHOUT_DECIMALS: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_WITH_THREE: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENTS: Final = (
    dict.fromkeys(_CODES_IN_USE.split(), 2)
    | dict.fromkeys(_WITHOUT_DECIMALS.split(), 0)
    | dict.fromkeys(_WITH_THREE.split(), 3)
)


def exponent_of(currency: str) -> int:
    """Return the decimals of ``currency``: 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        ValueError: no such code.
    """
    exponent = _EXPONENTS.get(currency)
    if exponent is None:
        near = currency.upper()
        remedy = f"write {near}" if near in _EXPONENTS else "give one such as USD, EUR or JPY"
        raise ValueError(f"{currency!r} is not an ISO 4217 code in use; {remedy}")
    return exponent


def codes() -> tuple[str, ...]:
    """Return every code in use, in order."""
    return tuple(sorted(_EXPONENTS))
