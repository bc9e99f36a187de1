"""The trigger that feeds live updates: every change of a task leaves a row, whoever made it.

A trigger and not code of the services, because lanes and people both change tasks and neither may forget.
Run each statement of ``FEED_TRIGGER`` once, in order, in the migration that makes the tables; they may be
run again. ``FEED_INDEX`` is the order that readers follow.
"""

from __future__ import annotations

from typing import Final

# (xid, id) and not id alone: a transaction may get its xid first and its id last, so ids of finished
# transactions are not in the order in which they become visible. Every row below pg_snapshot_xmin is final.
FEED_INDEX: Final = "CREATE INDEX IF NOT EXISTS ix_feed_xid_id ON feed (xid, id)"

_FUNCTION: Final = """
CREATE OR REPLACE FUNCTION feed_of_tasks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO feed (kind, customer_id, task_id, assigned_to)
        VALUES ('task-opened', NEW.customer_id, NEW.id, NEW.assigned_to);
        RETURN NULL;
    END IF;
    -- Whoever loses a task must hear of it as well as whoever gets it.
    IF OLD.assigned_to IS DISTINCT FROM NEW.assigned_to THEN
        INSERT INTO feed (kind, customer_id, task_id, assigned_to)
        VALUES ('task-changed', OLD.customer_id, OLD.id, OLD.assigned_to);
    END IF;
    INSERT INTO feed (kind, customer_id, task_id, assigned_to)
    VALUES ('task-changed', NEW.customer_id, NEW.id, NEW.assigned_to);
    RETURN NULL;
END
$$
"""

_TRIGGER: Final = """
CREATE OR REPLACE TRIGGER feed_of_tasks AFTER INSERT OR UPDATE ON tasks
FOR EACH ROW EXECUTE FUNCTION feed_of_tasks()
"""

FEED_TRIGGER: Final = (_FUNCTION, _TRIGGER)
