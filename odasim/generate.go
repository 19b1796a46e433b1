package odasim

import "time"

// eventsPerScale is the number of events in a generated parliament of scale 1.
const eventsPerScale = 1500

// Generate fills the sets with a plausible parliament: every set that the service polls
// has rows, references lead to rows, text is Danish, each vote has 179 tied rows in
// Stemme. A scale of 1 gives about 20,000 rows, and the number grows with it; at 0 or
// below nothing is written. The same seed and scale give the same rows byte for byte,
// with stamps from October 2022 to September 2025, whatever the clock shows. Existing
// rows stay, and new rows refer to them.
func (s *Server) Generate(seed uint64, scale float64) {
	s.writing.Lock()
	defer s.writing.Unlock()
	s.chronicle = newChronicle(s, seed)
	if scale <= 0 {
		return
	}
	c := s.chronicle
	c.addReferenceRows()
	c.electActors(int(300 * scale))
	total := max(20, int(eventsPerScale*scale))
	begin := time.Date(2022, time.October, 4, 8, 0, 0, 0, time.UTC)
	end := time.Date(2025, time.September, 30, 14, 0, 0, 0, time.UTC)
	// One event of each kind comes first, so that no set is empty at a small scale.
	first := regularEvents()
	for n := range total {
		c.now = c.workingHour(begin.Add(end.Sub(begin) / time.Duration(total) * time.Duration(n)))
		if n < len(first) {
			first[n].do(c)
			continue
		}
		c.runEvent(first)
	}
}

// workingHour moves most moments to a weekday between 9 and 16 Danish time, when most
// changes happen, and leaves a few as they are.
func (c *chronicle) workingHour(t time.Time) time.Time {
	if c.chance(0.05) {
		return t
	}
	for t.Weekday() == time.Saturday || t.Weekday() == time.Sunday {
		t = t.AddDate(0, 0, 1)
	}
	hours := time.Duration(c.random.Int64N(int64(7 * time.Hour)))
	return time.Date(t.Year(), t.Month(), t.Day(), 9, 0, 0, 0, denmark()).Add(hours)
}
