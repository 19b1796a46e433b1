package apply_test

import (
	"context"
	"fmt"
	"time"

	"odastream/apply"
	"odastream/internal/test/checker"
)

// settle mends everything and waits until all is applied.
func (h *sinkHistory) settle(log *checker.Log) (last checker.Look, err error) {
	for _, p := range h.sinks {
		p.link.after(0, nil)
		p.link.thaw()
		p.link.slowDown(0)
		p.link.find(toKafka)
		p.link.find(toPostgres)
	}
	h.bury()
	if len(h.sinks) == 0 {
		h.scale(1)
	}
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	for looked := time.Now(); ; _ = apply.Sleep(ctx, 2*time.Millisecond) {
		look, err := checker.Take(ctx, h.pool, h.scope)
		switch {
		case ctx.Err() != nil:
			return last, fmt.Errorf("not everything was applied within %s; offsets %v", patience, last.Offsets)
		case err == nil && log.Applied(look):
			h.tell("all is applied")
			return look, nil
		case err == nil:
			last = look
		}
		if time.Since(looked) > 5*shortSession {
			h.mendGroup()
			looked = time.Now()
		}
	}
}

// mendGroup helps a broker that, unlike a real one, keeps a member for ever whose
// connection broke while it was answered, and forgets the partitions of one whose
// session ran out while it restarted, until somebody joins.
func (h *sinkHistory) mendGroup() {
	group := h.broker.GroupInfo(h.scope.Group)
	if group == nil || group.State != "Stable" || len(group.Members) == len(h.sinks) && group.NumAssigned() == len(historyEntities())*3 {
		return
	}
	h.tell("the group has %d members with %d partitions, and there are %d sinks", len(group.Members), group.NumAssigned(), len(h.sinks))
	h.sinks = append(h.sinks, h.boot())
}
