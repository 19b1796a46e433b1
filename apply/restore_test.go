package apply_test

import (
	"fmt"
	"slices"

	"odastream/internal/test/checker"
	"odastream/internal/test/machine"
)

// restore ends all faults and waits until everything is applied.
func (h *sinkHistory) restore(log *checker.Log) (last checker.Snapshot, err error) {
	for _, p := range h.sinks {
		p.link.after(0, false, nil)
		p.link.thaw()
		p.link.slowDown(0)
		p.link.find(toKafka)
		p.link.find(toPostgres)
	}
	h.dropDead()
	if len(h.sinks) == 0 {
		h.scale(1)
	}
	looked := machine.Served()
	wait := machine.Wait{
		For:      "everything to be applied",
		Progress: func() any { return last.Applied() },
		Details:  func() string { return fmt.Sprintf("offsets %v", last.Offsets) },
	}
	err = wait.Done(h.t.Context(), func() (bool, error) {
		snapshot, err := checker.TakeSnapshot(h.t.Context(), h.pool, h.scope)
		if err != nil {
			return false, nil // the database may be away
		}
		last = snapshot
		if log.Applied(snapshot) {
			h.note("all is applied")
			return true, nil
		}
		if machine.Served()-looked > 5*shortSession {
			h.replaceShort()
			h.rebalance()
			looked = machine.Served()
		}
		return false, nil
	})
	return last, err
}

// replaceShort replaces sinks whose sessions are too short for the machine's current
// delay: these would lose their membership again and again.
func (h *sinkHistory) replaceShort() {
	stale := slices.DeleteFunc(slices.Clone(h.sinks), func(p *process) bool { return 2*p.session > machine.AtLeast(shortSession) })
	for _, p := range stale {
		p.stop()
	}
	h.sinks = slices.DeleteFunc(h.sinks, func(p *process) bool { return slices.Contains(stale, p) })
	if len(stale) > 0 {
		h.note("the machine's delay is %s: %d sinks with too short sessions are replaced", machine.Delay(), len(stale))
		h.scale(max(1, len(h.sinks)))
	}
}

// rebalance starts one more sink if members or assigned partitions do not match the
// sinks. Unlike a real broker, the fake one keeps a member for ever whose connection
// broke during an answer, and does not reassign the partitions of a member whose
// session ended during a restart, until another one joins.
func (h *sinkHistory) rebalance() {
	group := h.broker.GroupInfo(h.scope.Group)
	if group == nil || group.State != "Stable" || len(group.Members) == len(h.sinks) && group.NumAssigned() == len(historyEntities())*3 {
		return
	}
	h.note("the group has %d members with %d partitions, and there are %d sinks", len(group.Members), group.NumAssigned(), len(h.sinks))
	h.sinks = append(h.sinks, h.boot())
}
