package checkpoint

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"odastream/schema"
)

// begun is when the tests' scan with this id began.
func begun(id int64) time.Time { return noon.Add(time.Duration(id) * time.Second) }

func startScan(t *testing.T, s *Store, lease Lease, id int64, ranges ...ScanRange) {
	t.Helper()
	if err := s.StartScan(t.Context(), lease, id, begun(id), ranges); err != nil {
		t.Fatalf("StartScan(%d) = %v", id, err)
	}
}

func TestAScanIsStoredRangeByRange(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	startScan(t, s, lease, 40, ScanRange{IDRange: schema.IDsAbove(100), Next: 100}, ScanRange{IDRange: schema.IDRange{Low: -10, High: 50}, Next: -10}, ScanRange{IDRange: schema.IDRange{Low: 50, High: 100}, Next: 50})
	want := []ScanRange{{IDRange: schema.IDsAbove(100), Next: 100}, {IDRange: schema.IDRange{Low: 50, High: 100}, Next: 50}, {IDRange: schema.IDRange{Low: -10, High: 50}, Next: -10}} // newest ids first
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 40, ScanBegan: begun(40), Ranges: want})
	mustSave(t, s, lease, Progress{Ranges: []ScanRange{{IDRange: schema.IDRange{Low: 50, High: 100}, Next: 70, Read: 20}, {IDRange: schema.IDsAbove(100), Next: 300, Read: 100, Done: true}}})
	want[1].Next, want[1].Read = 70, 20
	want[0].Next, want[0].Read, want[0].Done = 300, 100, true
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 40, ScanBegan: begun(40), Ranges: want})
	// A page that is saved late moves nothing back.
	mustSave(t, s, lease, Progress{Ranges: []ScanRange{{IDRange: schema.IDRange{Low: 50, High: 100}, Next: 60, Read: 10}, {IDRange: schema.IDsAbove(100), Next: 200, Read: 50}}})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 40, ScanBegan: begun(40), Ranges: want})
	// A range that is not of the running scan is ignored.
	mustSave(t, s, lease, Progress{Ranges: []ScanRange{{IDRange: schema.IDsAbove(77), Next: 80}}})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 40, ScanBegan: begun(40), Ranges: want})
}

func TestAScanEndsWithScannedAt(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease, other := acquire(t, s, entity, "a"), acquire(t, s, "Aktør", "a")
	startScan(t, s, lease, 40, ScanRange{IDRange: schema.IDsAbove(0)})
	startScan(t, s, other, 41, ScanRange{IDRange: schema.IDsAbove(0)})
	mustSave(t, s, lease, Progress{Ranges: []ScanRange{{IDRange: schema.IDsAbove(0), Next: 9, Done: true}}, ScannedAt: noon, LoadedAt: noon})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 40, ScannedAt: noon, LoadedAt: noon})
	wantCheckpoint(t, s, "Aktør", Checkpoint{Seq: 41, ScanBegan: begun(41), Ranges: []ScanRange{{IDRange: schema.IDsAbove(0)}}})
}

func TestANewScanReplacesTheRunningOne(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	startScan(t, s, lease, 40, ScanRange{IDRange: schema.IDRange{Low: 0, High: 10}}, ScanRange{IDRange: schema.IDsAbove(10)})
	mustSave(t, s, lease, Progress{Ranges: []ScanRange{{IDRange: schema.IDsAbove(0), Next: 9, Done: true}}})
	startScan(t, s, lease, 50, ScanRange{IDRange: schema.IDRange{Low: 0, High: 99}})
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 50, ScanBegan: begun(50), Ranges: []ScanRange{{IDRange: schema.IDRange{Low: 0, High: 99}}}})
	startScan(t, s, lease, 60)
	wantCheckpoint(t, s, entity, Checkpoint{Seq: 60, ScanBegan: begun(60)})
}

func vanished(t *testing.T, s *Store) []VanishedRow {
	t.Helper()
	list, err := s.VanishedRows(t.Context(), entity)
	if err != nil {
		t.Fatalf("VanishedRows = %v", err)
	}
	return list
}

func TestAVanishedRowIsCountedOncePerScan(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Entries: []Entry{live(1, 1), live(3, 1), live(4, 1), deleted(5, 1), live(6, 1)}})
	startScan(t, s, lease, 40, ScanRange{IDRange: schema.IDsAbove(0)})
	mustSave(t, s, lease, Progress{Vanished: []int64{3, 4}})
	mustSave(t, s, lease, Progress{Vanished: []int64{3, 4}}) // the range again, after a restart
	one, six := int64(1), int64(6)
	want := []VanishedRow{{ID: 3, Scans: 1, ScanID: 40, Below: &one, Above: &six}, {ID: 4, Scans: 1, ScanID: 40, Below: &one, Above: &six}}
	ignoreTime := cmpopts.IgnoreFields(VanishedRow{}, "SeenAt")
	if diff := cmp.Diff(want, vanished(t, s), ignoreTime); diff != "" {
		t.Errorf("VanishedRows after one scan (-want +got):\n%s", diff)
	}
	mustSave(t, s, lease, Progress{ScannedAt: noon})
	startScan(t, s, lease, 50, ScanRange{IDRange: schema.IDsAbove(0)})
	mustSave(t, s, lease, Progress{Vanished: []int64{4, 1}, Returned: []int64{3}})
	three := int64(3)
	want = []VanishedRow{{ID: 1, Scans: 1, ScanID: 50, Above: &three}, {ID: 4, Scans: 2, ScanID: 50, Below: &three, Above: &six}}
	if diff := cmp.Diff(want, vanished(t, s), ignoreTime); diff != "" {
		t.Errorf("VanishedRows after the second (-want +got):\n%s", diff)
	}
}

func TestRequestScanConfirmsWhatVanished(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{ScannedAt: noon, Vanished: []int64{3, 4}, Watermark: noon})
	if n, err := s.RequestScan(t.Context(), entity, false); n != 0 || err != nil {
		t.Errorf("RequestScan = %d, %v, want nothing confirmed", n, err)
	}
	wantCheckpoint(t, s, entity, Checkpoint{Watermark: noon, ScannedAt: noon, ScanRequested: true})
	if vanished(t, s)[0].Confirmed {
		t.Error("row 3 is confirmed, and nobody did")
	}
	if n, err := s.RequestScan(t.Context(), entity, true); n != 2 || err != nil {
		t.Errorf("RequestScan with confirm = %d, %v, want 2", n, err)
	}
	for _, m := range vanished(t, s) {
		if !m.Confirmed {
			t.Errorf("row %d is not confirmed", m.ID)
		}
	}
}

// What the running scan has read may be older than what made a person ask.
func TestARunningScanDoesNotFulfilARequest(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	request := func() {
		t.Helper()
		if _, err := s.RequestScan(t.Context(), entity, false); err != nil {
			t.Fatalf("RequestScan = %v", err)
		}
	}
	startScan(t, s, lease, 1, ScanRange{IDRange: schema.IDsAbove(0)})
	request()
	mustSave(t, s, lease, Progress{ScannedAt: noon})
	if at := load(t, s, entity); !at.ScanRequested || !at.ScannedAt.Equal(noon) {
		t.Errorf("the request of a scan is %t after one that had begun before, scanned at %s; want true, and %s", at.ScanRequested, at.ScannedAt, noon)
	}
	startScan(t, s, lease, 2, ScanRange{IDRange: schema.IDsAbove(0)})
	if load(t, s, entity).ScanRequested {
		t.Error("a scan is asked for still though it has begun")
	}
}

func TestLatenessAddsUp(t *testing.T) {
	t.Parallel()
	s := open(t)
	lease := acquire(t, s, entity, "a")
	mustSave(t, s, lease, Progress{Lateness: []Lateness{{Bound: time.Minute, Rows: 3, Worst: 40 * time.Second}, {Bound: time.Hour, Rows: 1, Worst: 61 * time.Second}}})
	mustSave(t, s, lease, Progress{Lateness: []Lateness{{Bound: time.Minute, Rows: 2, Worst: 30*time.Second + 1}}})
	exec(t, s, "UPDATE poller_lateness SET day = day - 3 WHERE seconds = 3600")
	week := []Lateness{{Bound: time.Minute, Rows: 5, Worst: 40 * time.Second}, {Bound: time.Hour, Rows: 1, Worst: 61 * time.Second}}
	for days, want := range map[int][]Lateness{7: week, 4: week, 3: week[:1], 1: week[:1]} {
		got, err := s.LateRows(t.Context(), entity, days)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("LateRows of %d days (-want +got):\n%s", days, diff)
		}
	}
	if got, err := s.LateRows(t.Context(), "Aktør", 7); err != nil || len(got) != 0 {
		t.Errorf("LateRows of an entity never late = %v, %v", got, err)
	}
}
