package capture

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

// draw draws something that happens at the source. It is run once or not at all.
func (h *history) draw() (what string, do func()) {
	id := rapid.SampledFrom(rowIDs()).Draw(h.rt, "id")
	text := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(h.rt, "text")
	kinds := []func(int64, string) (string, bool, func()){
		h.edit, h.edit, h.edit, h.remove, h.remove, h.touch, h.member, h.tie, h.vanish, h.strange, h.silent, h.late, h.future, h.unstamped, h.old,
	}
	if h.lagging {
		kinds = kinds[:10]
	}
	what, prompt, change := rapid.SampledFrom(kinds).Draw(h.rt, "change")(id, text)
	return what, func() { h.seen.alter(prompt, change) }
}

// row puts a row. An error is a fault of the test.
func (h *history) row(id int64, text, stamp string) {
	if err := h.sim.Put("Sag", sagRow(id, text, stamp)); err != nil {
		h.t.Error(err)
	}
}

func (h *history) now() string { return stampAt(h.sim.Now()) }

func (h *history) edit(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d becomes %s", id, text), true, func() { h.row(id, text, h.now()) }
}

func (h *history) silent(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d becomes %s, if it is there, and keeps its stamp", id, text), false, func() {
		_ = h.sim.Edit("Sag", id, "titel", text) // no such row: nothing happens
	}
}

func (h *history) remove(id int64, _ string) (string, bool, func()) {
	return fmt.Sprintf("%d vanishes", id), false, func() { h.sim.Delete("Sag", id) }
}

func (h *history) touch(id int64, _ string) (string, bool, func()) {
	return fmt.Sprintf("%d is stamped anew", id), false, func() {
		_ = h.sim.Edit("Sag", id, "opdateringsdato", h.now()) // no such row: nothing happens
	}
}

func (h *history) late(id int64, text string) (string, bool, func()) {
	by := rapid.SampledFrom([]time.Duration{2 * time.Minute, 2 * time.Hour}).Draw(h.rt, "late by")
	return fmt.Sprintf("%d becomes %s, to be seen in %s", id, text, by), false, func() {
		if err := h.sim.PutLate("Sag", sagRow(id, text, h.now()), h.sim.Now().Add(by)); err != nil {
			h.t.Error(err)
		}
	}
}

func (h *history) future(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d becomes %s, stamped next month", id, text), false, func() {
		h.row(id, text, stampAt(h.sim.Now().AddDate(0, 1, 0)))
	}
}

func (h *history) unstamped(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d becomes %s without a stamp", id, text), false, func() {
		if err := h.sim.Put("Sag", fmt.Appendf(nil, `{"id":%d,"titel":%q,"opdateringsdato":null}`, id, text)); err != nil {
			h.t.Error(err)
		}
	}
}

func (h *history) old(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d becomes %s, stamped an hour ago", id, text), false, func() {
		h.row(id, text, stampAt(h.sim.Now().Add(-time.Hour)))
	}
}

func (h *history) member(id int64, text string) (string, bool, func()) {
	return fmt.Sprintf("%d gets a member %s and a stamp, if it is there", id, text), true, func() {
		_ = h.sim.Edit("Sag", id, "nummer "+text, text) // no such row: nothing happens
		_ = h.sim.Edit("Sag", id, "opdateringsdato", h.now())
	}
}

// tie writes more rows at once than a page holds.
func (h *history) tie(_ int64, text string) (string, bool, func()) {
	return "a tie of " + text, true, func() {
		stamp := h.now()
		for id := range int64(h.cap + 3) {
			h.row(200+id, text, stamp)
		}
	}
}

func (h *history) vanish(_ int64, _ string) (string, bool, func()) {
	return "what was tied vanishes", false, func() {
		for id := range int64(h.cap + 3) {
			h.sim.Delete("Sag", 200+id)
		}
	}
}
