package cache

// Bisect calls do to write items. If a record is at fault (IsRecordFault), Bisect
// tries again with each half, until the record is alone, and calls refused with that
// record and its error. Items are written in their order; do is never called without
// items. Any other error, of do or of refused, ends it and is returned.
func Bisect[T any](items []T, do func([]T) error, refused func(item T, fault error) error) error {
	if len(items) == 0 {
		return nil
	}
	err := do(items)
	if _, faulty := IsRecordFault(err); !faulty {
		return err
	}
	if len(items) == 1 {
		return refused(items[0], err)
	}
	half := len(items) / 2
	if err := Bisect(items[:half], do, refused); err != nil {
		return err
	}
	return Bisect(items[half:], do, refused)
}
