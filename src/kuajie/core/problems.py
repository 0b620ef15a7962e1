"""What pydantic finds wrong with a value, as messages: its own words, in lower case.

Where a newer pydantic says it otherwise, or of more than one ("items"), its words stand as they are.
"""

from collections.abc import Mapping

from kuajie.core.language import message

PROBLEMS: Mapping[str, str] = {
    "bool_parsing": message("input should be a valid boolean, unable to interpret input"),
    "bool_type": message("input should be a valid boolean"),
    "datetime_from_date_parsing": message("input should be a valid datetime or date, {error}"),
    "datetime_type": message("input should be a valid datetime"),
    "dict_type": message("input should be a valid dictionary"),
    "finite_number": message("input should be a finite number"),
    "float_parsing": message("input should be a valid number, unable to parse string as a number"),
    "float_type": message("input should be a valid number"),
    "greater_than": message("input should be greater than {gt}"),
    "greater_than_equal": message("input should be greater than or equal to {ge}"),
    "int_from_float": message("input should be a valid integer, got a number with a fractional part"),
    "int_parsing": message("input should be a valid integer, unable to parse string as an integer"),
    "int_type": message("input should be a valid integer"),
    "less_than": message("input should be less than {lt}"),
    "less_than_equal": message("input should be less than or equal to {le}"),
    "list_type": message("input should be a valid list"),
    "literal_error": message("input should be {expected}"),
    "model_type": message("input should be a valid dictionary or instance of {class_name}"),
    "string_too_long": message("string should have at most {max_length} character"),
    "string_too_short": message("string should have at least {min_length} character"),
    "string_type": message("input should be a valid string"),
    "too_short": message("{field_type} should have at least {min_length} item after validation, not {actual_length}"),
    "tuple_type": message("input should be a valid tuple"),
    "value_error": message("value error, {error}"),
}
