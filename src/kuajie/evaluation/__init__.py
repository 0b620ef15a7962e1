"""Honest measurement: who is asked for what, ranks, metrics, comparisons.

data.split_folder  open_split_folder(path) -> SplitFolder: .space .people .domains[i].train .order .order_reason
data.rows          Rows(people, items, positions, times): flat interactions; .take(mask) .within(slice) .joined(parts)
protocols   validation_split(folder, rng, candidates="full", seed=0) -> Split     (never reads a test row)
            final_split(folder, candidates="full", seed=0) -> Split
            leave_one_out(interactions, rng, candidates, seed) -> Split
            person_folds(interactions, folds, rng, candidates, seed, cold_share) -> Splits: cross-validation
            time_split(interactions, at, candidates, seed) -> Split
            hide_for_cold(train, asked, space, rng, share=0.1) -> training rows without some people's target rows
            Split: .train Interactions, .tasks {domain: RankingTask}, .notes
tasks       RankingTask: .histories (distinct) .history_of .positives .excluded .people .target_lengths .candidates
            .take(rows or mask); build_task(space, domain, asked, known, order, n_people, forbidden, fixed)
            interactions_of(rows, space, order, n_people) -> Interactions
candidates  with_candidates(task, "full" | "sampled-999" | "sampled-99" | "file", seed) -> RankingTask
ranking     rank_task(task, score, threads=1, progress=None) -> Ranks(better, tied, others), where
            score = lambda histories: model.score(histories, task.domain)
metrics     row_metrics(ranks, ["ndcg@10", "mrr"]) -> {name: (n_rows,)}; mean_metrics(ranks, names) -> {name: float}
    lists       best_lists(task, score, k) -> int32 (n_histories, k)
                list_metrics(lists, support, n_people, vectors=None) -> {"coverage", "gini", "novelty", "diversity"}
                ListSample.of(task, train, rng).judge(score) -> the same for some people, "people" and "k"
    compare     bootstrap_interval(values, people, rng) -> (2,) or (columns, 2); sign_flip_p_values(differences, people,
                rng); holm(p_values); compare_models({name: row values}, baseline, people, rng) -> {name: Comparison}
    slices      slices_of(task, train, twins=None) -> {name: rows}; history_groups(target_lengths) -> 0..3
    leaks       find_leaks(folder, final split) -> tuple[Leak(name, count, sentence)]; find_twins(rows, space) -> Twins
    gate        decide_gate(target_only, joint, people, target_lengths, rng) -> GateDecision: .groups .transfer_gain
                .low .high .uses_joint(target_lengths)
    summary     summarise(people, {model: Ranks}, slices, rng, baselines=...) -> TaskSummary
    tuning      grid_search(config, {key: values}, objective, budget_seconds=...) -> Tuning: .best .trials .skipped;
                optuna_search(config, {key: Range(low, high, log, whole) | values}, objective, trials=50, seed=0)

The benchmark itself is `benchmark(folder, models, candidates, seed, options) -> BenchmarkResult` in
`kuajie.workflows.benchmark`.
"""
