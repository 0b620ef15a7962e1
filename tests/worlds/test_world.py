"""People, catalogues and behaviour of a world, and the oracle over them."""

import numpy as np
import pytest

from kuajie.core.errors import UsageError
from kuajie.worlds import SCENARIOS, SIZES, TasteSettings, WorldSize, make_world
from kuajie.worlds.behaviour import DomainBehaviour
from kuajie.worlds.choices import interest_chances, week_matrix, week_table
from kuajie.worlds.funnels import FUNNELS, events_per_visit
from kuajie.worlds.seasons import END, START, WEEKS, month_of, topic_seasons
from kuajie.worlds.vocabulary import topics


def all_events(world, domain):
    weeks = list(world.events(domain))
    return [np.concatenate([getattr(week, name) for week in weeks]) for name in ("person", "item", "kind_code", "time")]


def gini(counts):
    ordered = np.sort(counts)
    n = len(ordered)
    return float(2 * (np.arange(1, n + 1) * ordered).sum() / (n * ordered.sum()) - (n + 1) / n)


def test_the_same_seed_makes_the_same_world_and_another_seed_another(pair):
    again = make_world("car-parts", pair.size, pair.seed)
    other = make_world("car-parts", pair.size, pair.seed + 1)
    for domain in pair.domains:
        assert again.catalogues[domain].table.equals(pair.catalogues[domain].table)
        for mine, theirs in zip(all_events(pair, domain), all_events(again, domain), strict=True):
            np.testing.assert_array_equal(mine, theirs)
        assert not other.catalogues[domain].table.equals(pair.catalogues[domain].table)


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_every_scenario_joins_the_platform_with_its_partners(scenario):
    size = WorldSize(people=300, courses=90, products=70)
    world = make_world(scenario, size, 0)
    assert world.domains == SCENARIOS[scenario]
    assert world.domains[0] == "courses"
    assert world.space.sizes == (90,) + (70,) * (len(world.domains) - 1)
    assert world.people.n_people == 300
    assert all(sum(len(week.person) for week in world.events(name)) > 0 for name in world.domains)


def test_sizes_are_those_of_the_product():
    assert SIZES["small"].people == 5_000
    assert (SIZES["seed"].people, SIZES["seed"].courses, SIZES["seed"].products) == (100_000, 1_000, 500)
    assert (SIZES["large"].people, SIZES["large"].courses, SIZES["large"].products) == (1_000_000, 10_000, 5_000)
    for size in ("seed", "large"):
        events = 2 * 0.85 * SIZES[size].people * SIZES[size].events_per_account
        assert events == pytest.approx(20 * SIZES[size].people, rel=0.05)


def test_accounts_have_about_as_many_events_as_asked_for(pair):
    for number, domain in enumerate(pair.domains):
        members = pair.people.member[:, number].sum()
        assert len(all_events(pair, domain)[0]) / members == pytest.approx(pair.size.events_per_account, rel=0.1)


def test_unknown_names_are_refused():
    with pytest.raises(UsageError, match="no scenario 'cinema'; the scenarios are car-parts"):
        make_world("cinema")
    with pytest.raises(UsageError, match="no size 'huge'; the sizes are small, seed, large"):
        make_world("film", "huge")
    world = make_world("film", WorldSize(50, 60, 60))
    with pytest.raises(UsageError, match="no domain 'beauty'"):
        world.oracle_scores([0], "beauty")


def test_people_overlap_in_part_and_some_are_cold_or_nowhere(pair):
    member = pair.people.member
    assert 0.6 < member.all(axis=1).mean() < 0.85
    assert 0.05 < (member[:, 0] & ~member[:, 1]).mean() < 0.25
    assert 0.005 < (~member.any(axis=1)).mean() < 0.06
    counts = pair.interactions().domain_counts()
    assert ((counts[:, 0] > 0) & (counts[:, 1] == 0) & member[:, 1]).any()  # an account, and nothing done there


def test_popularity_is_long_tailed_and_some_items_are_cold(pair):
    for domain in pair.domains:
        catalogue = pair.catalogues[domain]
        counts = np.bincount(all_events(pair, domain)[1], minlength=catalogue.n_items)
        assert 0.45 < gini(counts) < 0.9
        assert (catalogue.launch > WEEKS - 2).any()
        assert (counts <= 2).any()


def test_nothing_happens_before_a_launch_or_outside_the_year(pair):
    for domain in pair.domains:
        _, item, _, time = all_events(pair, domain)
        week = (time - START.timestamp()) / (7 * 86_400)
        assert (week >= np.floor(pair.catalogues[domain].launch[item])).all()
        assert time.min() >= START.timestamp()
        assert time.max() < END.timestamp()


def test_weeks_come_in_order_and_have_festivals_weekends_and_evenings(pair):
    weeks = list(pair.events("car_parts"))
    assert len(weeks) == WEEKS
    for week in weeks:
        assert (np.diff(week.time) >= 0).all()
    volume = np.array([len(week.person) for week in weeks])
    festival = 1  # the week of 10 November 2025
    assert volume[festival] > 1.4 * np.median(volume[:8])
    assert volume[-6:].mean() > volume[2:8].mean()  # the trend
    local = np.concatenate([week.time for week in weeks]) + 8 * 3600
    hour, day = (local // 3600) % 24, (local // 86_400 + 3) % 7  # 1 January 1970 was a Thursday
    assert np.isin(hour, [19, 20, 21]).mean() > 2 * np.isin(hour, [9, 10, 11]).mean()
    assert np.isin(day, [5, 6]).mean() > 2 / 7 * 1.1


def test_topics_have_their_seasons():
    seasons = topic_seasons(topics())
    assert seasons.shape == (len(topics()), WEEKS)
    for topic, row in zip(topics(), seasons, strict=True):
        if topic.peak:
            best = month_of(int(np.argmax(row)))
            assert min(abs(best - topic.peak - 0.5), 12 - abs(best - topic.peak - 0.5)) < 0.7, topic.key
        else:
            assert (row == 1).all()


def test_people_come_in_sessions(pair):
    person, _, _, time = all_events(pair, "courses")
    order = np.lexsort((time, person))
    same = np.diff(person[order]) == 0
    gaps = np.diff(time[order])[same]
    assert 0.4 < (gaps < 1800).mean() < 0.9
    assert (gaps > 86_400).mean() > 0.1


def test_kinds_have_values_where_they_should(pair):
    for domain in pair.domains:
        for week in pair.events(domain):
            named = np.array(week.kinds)[week.kind_code]
            assert np.isnan(week.value[np.isin(named, ["view", "collect", "share", "cart", "dismiss"])]).all()
            assert np.isfinite(week.value[np.isin(named, ["play", "listen", "read", "purchase", "rate"])]).all()
            assert np.isin(week.value[named == "rate"], [1, 2, 3, 4, 5]).all()
    assert {"play", "listen", "read", "purchase", "rate"} <= set(next(pair.events("courses")).kinds)


def test_expected_events_of_a_visit_are_what_visits_leave():
    steps = FUNNELS["shopping"]
    by_hand = 1 + 0.06 + 0.16 + 0.16 * 0.5 + 0.16 * 0.5 * 0.3 + 0.06 + 0.03 + 0
    assert events_per_visit(steps, 0.0, {}) == pytest.approx(by_hand)


def test_draws_follow_the_exact_chances(pair):
    catalogue, n = pair.catalogues["car_parts"], len(topics())
    table, matrix = week_table(catalogue, n, 40), week_matrix(catalogue, n, 40)
    np.testing.assert_allclose(matrix.sum(axis=2), 1)
    rng = np.random.default_rng(0)
    for tier, interest in ((0, 0), (2, 10), (1, n)):
        drawn = table.draw(np.full(200_000, tier), np.full(200_000, interest), rng.random(200_000))
        share = np.bincount(drawn, minlength=catalogue.n_items) / 200_000
        assert np.abs(share - matrix[tier, interest]).max() < 0.005
    edge = table.draw(np.array([0, 2]), np.array([0, n]), np.array([0.0, np.nextafter(1.0, 0.0)]))
    assert matrix[0, 0, edge[0]] > 0
    assert matrix[2, n, edge[1]] > 0


def slow_oracle(world, person, domain, week):
    """The mixture of `choices`, written out with loops."""
    catalogue, people, settings = world.catalogues[domain], world.people, world.settings
    index, n = world.index(domain), len(topics())
    matrix, seasons = week_matrix(catalogue, n, week), topic_seasons(topics())
    weights = []
    for slot, interest in enumerate(people.interests[person]):
        wave = np.exp(settings.wave * np.cos(2 * np.pi * (week / settings.wave_weeks + people.phase[person, slot])))
        weights.append(people.weights[person, slot] * people.tilt[person, index, slot] * wave * seasons[interest, week])
    scores = np.zeros(catalogue.n_items)
    tier = people.buying[person]
    rest = 1 - settings.own_share - settings.passing_share
    for weight, interest in zip(weights, people.interests[person], strict=True):
        scores += rest * weight / sum(weights) * matrix[tier, interest]
    scores += settings.own_share * matrix[tier, people.own[person, index]]
    return scores + settings.passing_share * matrix[tier, n]


def test_the_oracle_is_the_mixture_written_out(pair):
    persons, weeks = [4, 700, 31, 4], [51, 10, 10, 0]
    fast = pair.oracle_scores(persons, "car_parts", weeks)
    for row, (person, week) in enumerate(zip(persons, weeks, strict=True)):
        np.testing.assert_allclose(fast[row], slow_oracle(pair, person, "car_parts", week), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(fast.sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(pair.oracle_scores([4], "car_parts")[0], fast[0])


def test_behaviour_follows_the_oracle(pair):
    """Expected visits by the oracle and first views agree, summed over everybody in one domain and half a year."""
    item, expected = [], np.zeros(pair.catalogues["courses"].n_items)
    for number, week in enumerate(pair.events("courses")):
        if 12 <= number < 40:
            first = week.kind_code == week.kinds.index("view")
            item.append(week.item[first])
            expected += pair.oracle_scores(week.person[first], "courses", number).sum(axis=0)
    seen = np.bincount(np.concatenate(item), minlength=len(expected))
    assert np.corrcoef(seen, expected)[0, 1] > 0.97


def test_interest_chances_sum_to_one(pair):
    persons = np.arange(50)
    seasons = topic_seasons(topics())
    interests, chances = interest_chances(pair.people, persons, 1, np.full(50, 9), seasons, TasteSettings())
    assert interests.shape == chances.shape == (50, TasteSettings().interests + 2)
    np.testing.assert_allclose(chances.sum(axis=1), 1, rtol=1e-6)


def test_interactions_are_everybodys_history_in_time(pair):
    interactions = pair.interactions()
    histories = interactions.histories
    total = sum(len(all_events(pair, domain)[0]) for domain in pair.domains)
    assert interactions.n_people == pair.size.people
    assert len(histories.items) == total
    inside = np.diff(histories.rows()) == 0
    assert (np.diff(histories.times)[inside] >= 0).all()
    assert (histories.at > histories.times.max()).all()


def test_a_domain_is_generated_week_by_week(pair):
    weeks = pair.events("courses")
    first = next(weeks)
    assert isinstance(first.person, np.ndarray)
    assert DomainBehaviour.__dataclass_params__.frozen
