-- A scan that a person asks for while another is under way is made behind that one.

-- +goose Up
ALTER TABLE poller_watermarks ADD COLUMN scan_requested boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN poller_watermarks.scan_requested IS 'A person has asked for a scan that has not begun yet.';

-- +goose Down
ALTER TABLE poller_watermarks DROP COLUMN scan_requested;
