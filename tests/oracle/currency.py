"""Minor units of currencies."""

# ISO 4217: the currencies whose minor unit is not a hundredth.
ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
THREE = "BHD IQD JOD KWD LYD OMR TND"
EXPONENTS = dict.fromkeys(ZERO.split(), 0) | dict.fromkeys(THREE.split(), 3)


def minor_per_major(code: str) -> int:
    """Return how many minor units make a major one: 100 cents in a dollar."""
    return int(10 ** EXPONENTS.get(code, 2))
