"""The placement widget on the page of a shop: what people see, what is told of it, and what cannot go wrong."""

import json
import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import HOSTILE, Shop

pytestmark = pytest.mark.timeout(60)
Visit = Callable[..., Page]
LISTENS = """<script nonce="test">
window.told = [];
for (const type of ['kj-list', 'kj-click', 'kj-dismiss', 'kj-exposure', 'kj-empty', 'kj-error'])
  addEventListener(type, ({ detail }) => told.push([type, detail, performance.now()]));
</script>"""


def ready(page: Page) -> Page:
    expect(page.locator("kj-slot")).to_have_attribute("data-state", "ready")
    return page


def told(page: Page, kind: str) -> list[dict[str, Any]]:
    return [detail for type, detail, _ in page.evaluate("told") if type == kind]


def list_id(page: Page) -> str:
    """Under which it is stored, without its seal."""
    return page.evaluate("document.querySelector('kj-slot').list.list_id").partition(".")[0]


def until(happened: Callable[[], bool], seconds: float = 6.0) -> bool:
    end = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def color(page: Page, selector: str, name: str) -> tuple[int, ...]:
    value = page.locator(selector).first.evaluate(f"element => getComputedStyle(element).{name}")
    return tuple(int(float(part)) for part in re.findall(r"[\d.]+", value)[:3])


@pytest.mark.parametrize(
    ("locale", "label", "said"),
    [
        ("zh", "recommended", ("为您推荐", "推荐", "不感兴趣: 座椅·", "座椅·", "因为您在“知识平台”的行为")),
        ("en", "advertisement", ("Recommended for you", "Advertisement", "Not interested: Seat no. ", "Seat no. ",
                                 "Because of your activity at Knowledge platform")),
    ],
)  # fmt: skip
def test_it_is_read_in_both_languages(shop: Shop, visit: Visit, locale: str, label: str, said: tuple[str, ...]) -> None:
    heading, badge, dismiss, title, reason = said
    shop.event("reads", "courses-1", user="读者")
    page = ready(visit(shop.slot(user="读者", locale=locale, label=label, k="3")))
    region = page.get_by_role("region", name=heading)
    expect(region.get_by_role("heading", level=2, name=heading)).to_be_visible()
    expect(region.get_by_text(badge, exact=True)).to_be_visible()
    rows = region.get_by_role("list").get_by_role("listitem")
    expect(rows).to_have_count(3)
    for row in rows.all():
        button = row.get_by_role("button", name=re.compile("^" + title))
        expect(button).to_have_accessible_description(reason)
        expect(row.get_by_role("button", name=re.compile("^" + re.escape(dismiss)))).to_be_visible()
    assert page.locator("kj-slot section").get_attribute("lang") == locale


def test_it_follows_light_and_dark_and_tokens(shop: Shop, visit: Visit) -> None:
    light = ready(visit(shop.slot(), color_scheme="light"))
    dark = ready(visit(shop.slot(), color_scheme="dark"))
    assert min(color(light, "kj-slot .item", "backgroundColor")) > 240
    assert max(color(dark, "kj-slot .item", "backgroundColor")) < 60
    for page in (light, dark):
        surface = color(page, "kj-slot .item", "backgroundColor")
        for part in (".title", ".reason", ".dismiss", ".label"):
            assert contrast(color(page, f"kj-slot {part}", "color"), surface) > 4.5, part
    forced = ready(visit(shop.slot(theme="light"), color_scheme="dark"))
    assert min(color(forced, "kj-slot .item", "backgroundColor")) > 240
    themed = '<style nonce="test">kj-slot { --kj-surface: rgb(1, 2, 3); --kj-radius: 0 }</style>'
    own = ready(visit(themed + shop.slot()))
    assert color(own, "kj-slot .item", "backgroundColor") == (1, 2, 3)


def contrast(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """The contrast of WCAG 2."""
    bright, dim = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def _luminance(rgb: tuple[int, ...]) -> float:
    parts = [part / 255 for part in rgb]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_keys_alone_suffice(shop: Shop, visit: Visit) -> None:
    page = ready(visit(LISTENS + shop.slot(k="3", href="/items/{item}?from={domain}")))
    links = page.get_by_role("region").get_by_role("link")
    expect(links.first).to_have_attribute("href", re.compile(rf"^{shop.origin}/items/car-\d+\?from=car$"))
    page.keyboard.press("Tab")
    expect(links.first).to_be_focused()
    width = page.locator("kj-slot .item").first.evaluate("item => getComputedStyle(item).outlineWidth")
    assert width == "3px", "the focus is seen"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(links).to_have_count(2)
    focused = page.evaluate("document.querySelector('kj-slot').shadowRoot.activeElement.className")
    assert focused == "dismiss", "the focus goes to what comes next"
    expect(page.get_by_role("status")).to_have_text(re.compile("^已移除：座椅"))
    page.keyboard.press("Shift+Tab")
    page.evaluate("addEventListener('kj-click', (event) => event.preventDefault())")
    page.keyboard.press("Enter")
    assert page.url.endswith("/page"), "the page decides where a click leads"
    assert len(told(page, "kj-click")) == len(told(page, "kj-dismiss")) == 1


def test_nothing_moves(shop: Shop, visit: Visit) -> None:
    watch = """<script nonce="test">window.moved = [];
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries())
        moved.push([entry.value, ...entry.sources.map(({ node, previousRect, currentRect }) =>
          [node?.outerHTML ?? node?.data, previousRect, currentRect])]);
    }).observe({ type: 'layout-shift', buffered: true });</script>"""
    page = ready(visit(watch + shop.slot(k="4", live="") + "<p>下面的文字</p>"))
    before = page.get_by_text("下面的文字").bounding_box()
    first = list_id(page)
    shop.event("shift", "courses-5")
    assert until(lambda: list_id(page) != first)
    page.wait_for_timeout(300)
    assert page.get_by_text("下面的文字").bounding_box() == before
    assert page.evaluate("moved") == []
    still = ready(visit(shop.slot(), reduced_motion="reduce"))
    assert still.locator("kj-slot .item").first.evaluate("item => getComputedStyle(item).transitionDuration") == "0s"


def test_seen_is_half_visible_for_a_second(shop: Shop, visit: Visit) -> None:
    body = (
        LISTENS + '<div class="tall">上面</div>' + shop.slot(k="2", placement="首页") + '<div class="tall">下面</div>'
    )
    page = ready(visit(body))
    page.evaluate("scrollTo(0, 3000); setTimeout(() => scrollTo(0, 0), 400)")  # only passed by
    page.wait_for_timeout(1_800)
    assert told(page, "kj-exposure") == []
    began = page.evaluate("scrollTo(0, 3000); performance.now()")
    assert until(lambda: bool(page.wait_for_timeout(50) or len(told(page, "kj-exposure")) == 2))
    seen = [at for kind, _, at in page.evaluate("told") if kind == "kj-exposure"]
    assert 1_000 <= min(seen) - began < 3_000
    assert until(lambda: len(shop.stored(list_id(page))[1]) == 2)
    exposures = shop.stored(list_id(page))[1]
    assert {(each.position, each.placement) for each in exposures} == {(0, "首页"), (1, "首页")}


def test_what_was_answered_arrives_once_though_it_is_sent_twice(shop: Shop, visit: Visit) -> None:
    page = visit(LISTENS + "<p>…</p>", quiet=True)
    lost: list[str] = []

    def lose_the_answer(route: Route) -> None:
        if route.request.method == "POST" and len(lost) < 1:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    page.route("**/v1/feedback", lose_the_answer)
    shop.body = LISTENS + shop.slot(k="3")
    page.goto(shop.origin + "/page")
    first = ready(page).locator("kj-slot .item").first
    seen = page.evaluate("document.querySelector('kj-slot').list.items.map((item) => item.item)")
    first.locator(".title").click()
    first.locator(".title").click()
    first.locator(".dismiss").click()
    assert until(lambda: page.evaluate("Object.keys(localStorage).length") == 0), "everything was acknowledged"
    assert '"accepted":1' in lost[0]
    answers, exposures = shop.stored(list_id(page))
    assert [(each.item, each.kind) for each in answers] == [(seen[0], "click"), (seen[0], "dismiss")]
    assert 0 in {each.position for each in exposures}, "who answers has seen"


def test_what_happens_offline_is_told_later_even_by_another_page(shop: Shop, visit: Visit) -> None:
    page = ready(visit(LISTENS + shop.slot(k="2"), quiet=True))
    shown = list_id(page)
    page.context.set_offline(True)
    page.locator("kj-slot .title").first.click()
    page.wait_for_timeout(300)
    kept = page.evaluate("Object.entries(localStorage)")
    assert len(kept) >= 2
    assert shop.key not in json.dumps(kept), "keys are not kept"
    assert shop.stored(shown)[0] == []
    page.context.set_offline(False)
    assert until(lambda: len(shop.stored(shown)[0]) == 1)

    page.route("**/v1/feedback", lambda route: route.abort())
    page.locator("kj-slot .title").nth(1).click()
    page.wait_for_timeout(200)
    page.unroute("**/v1/feedback")
    page.reload()
    assert until(lambda: len(shop.stored(shown)[0]) == 2)
    assert [each.kind for each in shop.stored(shown)[0]] == ["click", "click"]


def test_titles_are_text(shop: Shop, visit: Visit) -> None:
    shop.event("hostile", "courses-4", user="好奇")
    page = ready(visit(shop.slot(user="好奇", k="5")))
    shown = page.locator("kj-slot .title").filter(has_text=HOSTILE)
    expect(shown.first).to_be_visible()
    assert page.locator("kj-slot img").count() == 0
    assert page.evaluate("window.hacked") is None
    script = ready(visit(shop.slot(href="javascript:window.hacked=1//{item}")))
    assert script.locator("kj-slot a").count() == 0


def test_who_may_not_ask_leaves_no_hole(shop: Shop, visit: Visit) -> None:
    wrong = shop.slot(key=shop.key[:-2] + "~~")
    page = visit(LISTENS + wrong + "<p>下面</p>", quiet=True)
    expect(page.locator("kj-slot")).to_be_hidden()
    assert until(lambda: bool(told(page, "kj-error")))
    other = visit(LISTENS + wrong.replace("></kj-slot>", "><p>我们自己的推荐</p></kj-slot>"), quiet=True)
    expect(other.get_by_text("我们自己的推荐")).to_be_visible()
    elsewhere = other.context.new_page()
    shop.body = LISTENS + shop.slot()
    elsewhere.goto(shop.origin.replace("127.0.0.1", "localhost") + "/page")
    expect(elsewhere.locator("kj-slot")).to_be_hidden()
    nameless = visit(LISTENS + shop.slot(target=""), quiet=True)
    expect(nameless.locator("kj-slot")).to_be_hidden()


def test_a_page_may_demand_the_exact_file(shop: Shop, visit: Visit) -> None:
    with urllib.request.urlopen(shop.service + "/widget/kj-slot.json", timeout=5) as answer:
        found = json.load(answer)
    tag = '<script type="module" src="{}{}" integrity="{}" crossorigin></script>'
    ready(visit(shop.slot(script=tag.format(shop.service, found["src"], found["integrity"]))))
    wrong = tag.format(shop.service, found["src"], found["integrity"][:-6] + "AAAAA=")
    page = visit(shop.slot(script=wrong), quiet=True)
    page.wait_for_timeout(300)
    assert page.evaluate("customElements.get('kj-slot') === undefined")


def test_a_live_list_changes_with_the_history_but_not_under_the_pointer(shop: Shop, visit: Visit) -> None:
    page = ready(visit(LISTENS + shop.slot(user="新人", k="3", live="")))
    expect(page.locator("kj-slot .reason").first).to_have_text("大家都喜欢")
    shop.event("live-1", "courses-1", user="新人")
    expect(page.locator("kj-slot .reason").first).to_have_text("因为您在“知识平台”的行为")
    page.locator("kj-slot .item").first.hover()
    shown = list_id(page)
    for number, item in enumerate(("courses-2", "courses-6", "courses-10", "courses-14")):
        shop.event(f"live-2-{number}", item, user="新人")
    page.wait_for_timeout(900)
    assert list_id(page) == shown
    page.mouse.move(5, 690)
    assert until(lambda: list_id(page) != shown)
    page.evaluate("document.querySelector('kj-slot').setAttribute('user', '0001')")
    expect(page.locator("kj-slot .reason").first).to_have_text("因为您在“汽车用品”的行为")
