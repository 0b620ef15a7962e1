"""Sources -> cleaned, linked, immutable snapshot -> training data.

    config    DataConfig(domains, cleaning, strength, identity); DomainConfig, SourceConfig, LinkSourceConfig,
              CleaningConfig, StrengthConfig, IdentityConfig, SocialConfig (friends and places lend: `data.social`)
    quality   QualityAccount: .sources (SourceAccount: read = kept + merged + bad; .quarantined by reason), .total,
              .of("events"), .flagged, .warnings, .quarantine
    identity  OverlapReport: .people, .linked_people, .pairs (people in both of two domains and how much history
              they have), .warnings
    snapshot  open_snapshot(folder), latest_snapshot(warehouse) -> SnapshotFolder: .path, .manifest, .record
    catalog   IdMap: .number(id), .numbers(ids), .id(number); Catalog: .space, .ids[domain], .number(domain, id),
              .name(number), .item(number) -> core.records.Item, .titles(language), .table (one row per item)
    strength  strength(events, at, config) -> float32 weights: the one rule for fit, evaluation and serving
    dataset   JointDataset.open(folder, strength) with
                  .snapshot, .catalog, .space, .order
                  .interactions(as_of=None, *, lent=False) -> core.histories.Interactions
                  .history_of(account, at=None, *, lent=True) -> Histories of one row
                  .histories_of(accounts, at=None, *, lent=True) -> Histories
                  .person_of(account), .people_of(accounts) -> rows of the interactions; .accounts_of(person)
                  .knowledge() -> the triples, if any
    live      history_of_events(events, catalog, config, at) -> Histories of one row, from events not in a snapshot

The import itself is `kuajie.workflows.ingest.ingest(config, folder, *, clock, progress) -> IngestResult`.
"""
