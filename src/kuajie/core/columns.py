"""Names of columns, once for everybody. Snapshots and frames use these and no others."""

# behaviour events
EVENT_ID = "event_id"
DOMAIN = "domain"
USER = "user"
ITEM = "item"
KIND = "kind"
OCCURRED_AT = "occurred_at"  # Datetime(us, UTC), may be null
VALUE = "value"  # seconds played, rating, amount ...; null where the kind has none
EXPOSURE_ID = "exposure_id"
ROW = "row"  # 1-based number of the row in its source: breaks ties of time, names bad rows

# items
TITLE = "title"
TITLE_EN = "title_en"
CATEGORY = "category"
BRAND = "brand"
PRICE = "price"
ATTRIBUTES = "attributes"  # JSON object of text to text
VECTOR = "vector:"  # begins the name of a column of ready-made vectors

# links between accounts
DOMAIN_A, USER_A = "domain_a", "user_a"
DOMAIN_B, USER_B = "domain_b", "user_b"
CONFIDENCE = "confidence"  # 0..1
EVIDENCE = "evidence"
EXPIRES_AT = "expires_at"

# knowledge graph
HEAD, RELATION, TAIL = "head", "relation", "tail"
NAME_EN = "name_en"  # the relation from a thing to what English readers call it

# inside a snapshot
PERSON = "person"  # row number, lives only in one snapshot
STRENGTH = "strength"
TIMESTAMP = "timestamp"  # unix seconds, float64; NaN where unknown
REASON = "reason"
LINE = "line"
