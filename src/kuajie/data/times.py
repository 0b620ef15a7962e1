"""Times as sources write them -> Datetime(us, UTC)."""

import polars as pl

from kuajie.data.config import SourceConfig

UTC = pl.Datetime("us", "UTC")
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
FARTHEST = 200_000 * 365 * 86_400 * 1_000_000  # microseconds; what lies beyond is impossible anyway
NAIVE = (
    "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d",
)  # fmt: skip
ZONE = r"(?:[Zz]|[+-]\d{2}:?\d{2})$"


def to_times(values: pl.Series, source: SourceConfig) -> pl.Series:
    """Times in UTC; null where there is none or it cannot be read.

    Numbers count from 1970 in the source's unit; text is ISO 8601, the source's format, or a number; what names no
    zone is in the source's.
    """
    kind = values.dtype
    if isinstance(kind, pl.Datetime):
        zoned = values.dt.convert_time_zone("UTC") if kind.time_zone else _in_zone(values, source.timezone)
        return zoned.dt.cast_time_unit("us")
    if kind == pl.Date:
        return _in_zone(values.cast(pl.Datetime("us")), source.timezone)
    if kind.is_numeric():
        return _from_numbers(values.cast(pl.Float64) if kind.is_decimal() else values, source)
    if kind == pl.String:
        return _from_text(values, source)
    return pl.Series(values.name, [None] * len(values), UTC)


def _in_zone(values: pl.Series, zone: str) -> pl.Series:
    if zone == "UTC":
        return values.dt.replace_time_zone("UTC")
    return values.dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null").dt.convert_time_zone("UTC")


def _from_numbers(values: pl.Series, source: SourceConfig) -> pl.Series:
    frame = values.alias("t").to_frame()
    size = pl.col("t").cast(pl.Float64).abs()
    if source.time_unit == "auto":
        per_second = pl.when(size < 1e11).then(1).when(size < 1e14).then(1e3).when(size < 1e17).then(1e6).otherwise(1e9)
    else:
        per_second = pl.lit(PER_SECOND[source.time_unit])
    # whole numbers stay exact: a multiplication or a division of integers, never both
    per_second = per_second.cast(pl.Int64)
    if values.dtype.is_integer():
        whole = pl.col("t").cast(pl.Int64, strict=False)
        exact = pl.when(per_second <= 1_000_000).then(whole * (1_000_000 // per_second)).otherwise(whole // 1_000)
    else:
        exact = (pl.col("t") * (1e6 / per_second)).clip(-FARTHEST, FARTHEST).fill_nan(None).round().cast(pl.Int64)
    far = size / per_second > FARTHEST / 1e6
    sign = pl.when(pl.col("t") < 0).then(-FARTHEST).otherwise(FARTHEST)
    micros = pl.when(far.fill_null(value=False)).then(sign).otherwise(exact)
    return frame.select(micros.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").alias(values.name)).to_series()


def _from_text(values: pl.Series, source: SourceConfig) -> pl.Series:
    text = values.str.strip_chars()
    if source.time_format is not None:
        parsed = text.str.to_datetime(source.time_format, strict=False, time_unit="us")
        return to_times(parsed, source)
    if text.str.ends_with("Z").all():  # the usual form, without looking for the others
        return _in_zone(_naive(text.str.head(-1)), "UTC")
    number = text.str.contains(r"^[+-]?\d{5,}(?:\.\d*)?$").fill_null(value=False)
    if number.any():
        whole = text.cast(pl.Int64, strict=False)
        fraction = text.filter(whole.is_null() & number).cast(pl.Float64, strict=False)
        numbers = _from_numbers(whole, source)
        if len(fraction):
            numbers = _fill(numbers, whole.is_null() & number, _from_numbers(fraction, source))
        if number.all():
            return numbers
        return _fill(numbers.set(~number, None), ~number, _from_iso(text.filter(~number), source))
    return _from_iso(text, source)


def _from_iso(text: pl.Series, source: SourceConfig) -> pl.Series:
    """ISO 8601, and the same with slashes."""
    zone = text.str.extract(f"({ZONE})")
    zoned = zone.is_not_null()
    if not zoned.any():
        return _in_zone(_naive(text), source.timezone)
    bare = _naive(text.str.replace(ZONE, ""))
    offset = zone.to_frame("zone").select(_offset_seconds(pl.col("zone"))).to_series()
    shifted = bare.dt.replace_time_zone("UTC") - (offset * 1_000_000).cast(pl.Duration("us"))
    return shifted if zoned.all() else shifted.zip_with(zoned, _in_zone(bare, source.timezone))


def _offset_seconds(zone: pl.Expr) -> pl.Expr:
    digits = zone.str.replace_all(r"[^0-9]", "")
    seconds = (
        digits.str.head(2).cast(pl.Int64, strict=False) * 3600 + digits.str.tail(2).cast(pl.Int64, strict=False) * 60
    )
    return pl.when(zone.str.starts_with("-")).then(-seconds).otherwise(seconds).fill_null(0)


def _naive(text: pl.Series) -> pl.Series:
    """Each format in turn on what is left, the one of the first rows first."""
    head = text.drop_nulls().head(20)
    formats = sorted(NAIVE, key=lambda form: -_parse(head, form).is_not_null().sum())
    times = _parse(text, formats[0])
    for form in formats[1:]:
        missing = times.is_null() & text.is_not_null()
        if not missing.any():
            break
        times = _fill(times, missing, _parse(text.filter(missing), form))
    return times


def _parse(text: pl.Series, form: str) -> pl.Series:
    if "%H" in form:
        return text.str.to_datetime(form, strict=False, time_unit="us")
    return text.str.to_date(form, strict=False).cast(pl.Datetime("us"))


def _fill(series: pl.Series, where: pl.Series, values: pl.Series) -> pl.Series:
    """The series with the values in the places where `where` is true."""
    return series.scatter(where.arg_true(), values)
