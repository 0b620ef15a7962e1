"""Results of other threads reach whoever waits for them, errors and late comers included."""

import asyncio
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from kuajie.core.errors import StoreError
from kuajie.service.landing import Landing


async def many(landing: Landing, count: int) -> list[int]:
    futures: list[Future[int]] = [Future() for _ in range(count)]
    waiting = [landing.wait_for(future) for future in futures]

    def give(part: int) -> None:
        for number in range(part, count, 4):
            futures[number].set_result(number)

    with ThreadPoolExecutor(4) as pool:
        given = [pool.submit(give, part) for part in range(4)]
        found = [await asyncio.wait_for(each, 20) for each in waiting]
        assert all(each.result(20) is None for each in given)
    return found


def test_everybody_is_told_whichever_thread_was_first() -> None:
    landing = Landing()
    for _ in range(20):
        assert asyncio.run(many(landing, 500)) == list(range(500))


def test_errors_land_too_and_who_left_is_not_waited_for() -> None:
    async def main() -> None:
        landing = Landing()
        bad, gone, dropped, good = (Future() for _ in range(4))
        waiting = [landing.wait_for(each) for each in (bad, gone, dropped, good)]
        waiting[1].cancel()
        dropped.cancel()
        dropped.set_running_or_notify_cancel()

        def give() -> None:
            bad.set_exception(StoreError("it is down"))
            gone.set_result(1)
            good.set_result(2)

        threading.Thread(target=give).start()
        assert await waiting[3] == 2
        with pytest.raises(StoreError, match="it is down"):
            await waiting[0]
        with pytest.raises(asyncio.CancelledError):
            await waiting[2]

    asyncio.run(main())


def test_what_is_there_already_lands_at_once() -> None:
    async def main() -> None:
        done: Future[str] = Future()
        done.set_result("早到")
        assert await asyncio.wait_for(Landing().wait_for(done), 5) == "早到"

    asyncio.run(main())
