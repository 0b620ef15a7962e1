"""The demo page: a click on the left is a real event, and the list on the right changes with it."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from .conftest import Shop

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def page(browser: Browser, shop: Shop) -> Iterator[Page]:
    faults: list[str] = []
    context = browser.new_context(locale="zh-CN", viewport={"width": 1200, "height": 900})
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.goto(shop.service + "/demo")
    expect(page.locator("kj-slot")).to_have_attribute("data-state", "ready")
    yield page
    context.close()
    assert faults == []


def test_a_click_on_the_left_changes_the_right(page: Page) -> None:
    page.get_by_label("扮演").select_option(label="新访客（没有任何记录）")
    expect(page.get_by_text("还没有。点一下下面的任意一项。")).to_be_visible()
    reasons = page.locator("kj-slot .reason")
    expect(reasons.first).to_have_text("大家都喜欢")
    before = page.locator("kj-slot .title").all_inner_texts()
    page.locator(".card", has_text="养车课·1号").click()
    expect(reasons.first).to_have_text("因为您用过“养车课·1号”")
    assert page.locator("kj-slot .title").all_inner_texts() != before
    expect(page.locator("#past")).to_contain_text("养车课·1号")
    expect(page.locator("#log")).to_contain_text(re.compile(r"右边收到新推荐，距点击 \d+ 毫秒"))
    expect(page.locator("#log")).to_contain_text("已存盘")


def test_it_speaks_both_languages_and_plays_both_sides(page: Page) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(["知识平台", "汽车用品"])
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(["Knowledge platform", "Car shop"])
    expect(page.locator("html")).to_have_attribute("lang", "en")
    expect(page.locator("kj-slot .title").first).to_have_text(re.compile("Seat no|img"))
    expect(page.get_by_label("You are").get_by_role("option").last).to_have_text("a new visitor (no history)")
    page.get_by_role("button", name="Swap sides").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(["Car shop", "Knowledge platform"])
    expect(page.locator("kj-slot .title").first).to_have_text(re.compile("Course no|img"))


def test_hostile_titles_are_text_and_a_phone_scrolls_in_one_direction(page: Page) -> None:
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    page.set_viewport_size({"width": 360, "height": 700})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
