package apply

import (
	"time"

	"odastream/internal/test/machine"
)

// LookEvery sets how often s reads the topics' ends and the stored offsets.
func LookEvery(s *Sink, d time.Duration) { s.lookEvery = d }

// GiveUp makes Once of s return after an outage of d.
func GiveUp(s *Sink, d time.Duration) { s.onceFor = d }

// Read counts the offsets that the sink has read since its start, applied or not.
func Read(s *Sink) (n int) {
	owned, _ := (*s.public.Load()).State()
	for _, p := range owned {
		n += int(p.Read - p.Start)
	}
	return n
}

// Hurry shortens the waits of s for a test.
func Hurry(s *Sink) {
	s.shortWait, s.longWait = 10*time.Millisecond, 200*time.Millisecond
	s.handover, s.probe = machine.AtLeast(500*time.Millisecond), machine.AtLeast(500*time.Millisecond)
}
