"""Ids as they arrive."""

from hashlib import blake2b

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


def id_of_sender(domain: str, text: str, longest: int) -> str:
    """An id with the domain of its sender, so that two senders cannot take each other's; the same each time.

    Where that would be too long, a hash stands for the id. What is no id stays as it is, and is refused as such.

    Args:
        domain: of the sender.
        text: the id, as it was sent.
        longest: that may be stored, in bytes.
    """
    if id_problem(text) is not None:
        return text
    whole = f"{domain}:{text}"
    return whole if len(whole.encode()) <= longest else f"{domain}:{blake2b(text.encode(), digest_size=16).hexdigest()}"
