"""What a client raises.

KuajieError > JobError > ServiceError       the service said no
                         `-- UnavailableError   it did not answer, or has too much to do; trying again may help
"""

from kuajie.core.errors import JobError


class ServiceError(JobError):
    """The service said no, or something that is no answer.

    Attributes:
        status: of HTTP; 0 where nothing arrived.
        error: what is wrong, in the service's words.
        do: what to do about it, in the service's words.
        request_id: by which its operators find the request.
        wait: seconds after which the service may be asked again, if it said so.
    """

    def __init__(
        self, url: str, status: int, error: str, do: str = "", request_id: str = "", wait: float | None = None
    ) -> None:
        super().__init__(
            "{url} answered {status} ({error}). {do} (request {request_id})",
            url=url,
            status=status,
            error=error,
            do=do,
            request_id=request_id or "-",
        )
        self.status, self.error, self.do, self.request_id, self.wait = status, error, do, request_id, wait


class UnavailableError(ServiceError):
    """The service did not answer, or has too much to do. What was sent may or may not have arrived."""
