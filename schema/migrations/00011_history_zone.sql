-- +goose Up

-- The bounds of the history's months are moments in UTC. A month's bounds are
-- written as text on their way into the catalog, and an abbreviated zone in it,
-- such as IST, is read as another one than was meant.
ALTER FUNCTION parliamentary_history_ahead(integer) SET TimeZone = 'UTC';
ALTER FUNCTION parliamentary_history_ahead(integer) SET DateStyle = 'ISO, YMD';
ALTER FUNCTION parliamentary_history_forget(interval) SET TimeZone = 'UTC';
ALTER FUNCTION parliamentary_history_forget(interval) SET DateStyle = 'ISO, YMD';

-- +goose Down
ALTER FUNCTION parliamentary_history_forget(interval) RESET DateStyle;
ALTER FUNCTION parliamentary_history_forget(interval) RESET TimeZone;
ALTER FUNCTION parliamentary_history_ahead(integer) RESET DateStyle;
ALTER FUNCTION parliamentary_history_ahead(integer) RESET TimeZone;
