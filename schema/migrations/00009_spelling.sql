-- The hash of a row as it is spelled, so that a scan need not take apart what did not
-- change.

-- +goose Up

-- 0: not known. It counts only where hash says that the topic holds the row.
ALTER TABLE poller_ledger ADD COLUMN spelling bigint NOT NULL DEFAULT 0;

-- +goose Down

ALTER TABLE poller_ledger DROP COLUMN spelling;
