"""Ids as they arrive."""

from kuajie.core.ids import id_problem
from kuajie.core.texts import Text
from kuajie.service.refusals import wrong


def checked_id(text: str, name: str) -> str:
    """An id, as it is.

    Raises:
        Refusal: it is none.
    """
    problem = id_problem(text)
    if problem is not None:
        raise wrong(Text("{name} {problem}", name=name, problem=problem))
    return text
