"""Honest measurement: who is asked for what, ranks, metrics, comparisons.

data.split_folder  open_split_folder(path) -> SplitFolder: .space .people .domains[i].train .order .order_reason
                   Rows(people, items, positions, times): flat interactions; .take(mask) .within(slice) .joined(parts)
protocols   validation_split(folder, rng, candidates="full", seed=0) -> Split     (never reads a test row)
            final_split(folder, candidates="full", seed=0) -> Split
            leave_one_out(interactions, rng, candidates, seed) -> Split
            time_split(interactions, at, candidates, seed) -> Split
            hide_target_rows(rows, space, domain, rng, share=0.1) -> (rows that stay, asked rows)
            Split: .train Interactions, .tasks {domain: RankingTask}, .notes
tasks       RankingTask: .histories (distinct) .history_of .positives .excluded .people .target_lengths .candidates
            .take(rows or mask); build_task(space, domain, asked, known, order, n_people, forbidden, fixed)
            interactions_of(rows, space, order, n_people) -> Interactions
candidates  with_candidates(task, "full" | "sampled-999" | "sampled-99" | "file", seed) -> RankingTask
ranking     rank_task(task, score, threads=1, progress=None) -> Ranks(better, tied, others), where
            score = lambda histories: model.score(histories, task.domain)
metrics     row_metrics(ranks, ["ndcg@10", "mrr"]) -> {name: (n_rows,)}; mean_metrics(ranks, names) -> {name: float}
"""
