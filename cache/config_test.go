package cache

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"odastream/schema"
)

func TestTTL(t *testing.T) {
	t.Parallel()
	for claim, tt := range map[string]struct {
		text   string
		want   TTL
		faults []string
	}{
		"nothing":                         {text: "", want: TTL{}},
		"one entity":                      {text: "Omtryk=720h", want: TTL{"Omtryk": 720 * time.Hour}},
		"names are the source's own":      {text: " aktoer = 24h, MØDE=1s,", want: TTL{"Aktør": 24 * time.Hour, "Møde": time.Second}},
		"all faults are reported at once": {text: "Omtrik=1h,Sag,Fil=0s,Møde=soon,Sag=1h,sag=2h", faults: []string{"Omtrik", "Omtryk", `"Sag" is not`, `"0s"`, `"soon"`, "Sag is named twice"}},
		"less than a second is refused":   {text: "Sag=5ms", faults: []string{`"5ms"`}},
	} {
		t.Run(claim, func(t *testing.T) {
			t.Parallel()
			var got TTL
			err := got.UnmarshalText([]byte(tt.text))
			if len(tt.faults) == 0 && err != nil {
				t.Fatalf("UnmarshalText(%q): %v", tt.text, err)
			}
			for _, fault := range tt.faults {
				if err == nil || !strings.Contains(err.Error(), fault) {
					t.Errorf("UnmarshalText(%q) = %v, want a word of %s", tt.text, err, fault)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("UnmarshalText(%q) (-want +got):\n%s", tt.text, diff)
			}
		})
	}
	var unknown *schema.UnknownEntityError
	if err := new(TTL).UnmarshalText([]byte("Omtrik=1h")); !errors.As(err, &unknown) {
		t.Errorf("UnmarshalText of an unknown entity = %v, want an UnknownEntityError", err)
	}
}
