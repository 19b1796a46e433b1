package apply

import (
	"time"

	"odastream/internal/test/machine"
)

// LookEvery makes s look at the topics' ends and the stored offsets more often.
func LookEvery(s *Sink, d time.Duration) { s.lookEvery = d }

// GiveUp makes Once of s bear an outage for d only.
func GiveUp(s *Sink, d time.Duration) { s.onceFor = d }

// Read is how many offsets the sink has taken in since its start, applied or not.
func Read(s *Sink) (n int) {
	owned, _ := (*s.public.Load()).State()
	for _, p := range owned {
		n += int(p.Read - p.Start)
	}
	return n
}

// Hurry makes s retry as often as a short test wants it to.
func Hurry(s *Sink) {
	s.shortWait, s.longWait = 10*time.Millisecond, 200*time.Millisecond
	s.handover, s.probe = machine.AtLeast(500*time.Millisecond), machine.AtLeast(500*time.Millisecond)
}
