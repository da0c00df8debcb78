package capture

import (
	"errors"
	"testing"
)

func TestTimestampType(t *testing.T) {
	// The names of pcap-tstamp(7).
	names := []string{"host", "host_lowprec", "host_hiprec", "host_hiprec_unsynced", "adapter", "adapter_unsynced"}
	for i, name := range names {
		typ, err := ParseTimestampType(name)
		if err != nil || typ != TimestampType(i) || typ.String() != name || typ.Description() == "" {
			t.Errorf("%q: %v, %q, %v", name, typ, typ.Description(), err)
		}
	}
	if _, err := ParseTimestampType("moon"); !errors.Is(err, ErrConfig) {
		t.Errorf("moon: %v", err)
	}
	none := TimestampType(len(names))
	if none.String() != "TimestampType(6)" || none.Description() != "" {
		t.Errorf("%v, %q", none, none.Description())
	}
	if _, err := (&Config{Timestamp: none}).Normalize(); !errors.Is(err, ErrConfig) {
		t.Errorf("Normalize: %v", err)
	}
	err := error(&TimestampError{Type: TimestampAdapter, Offered: []TimestampType{TimestampHost, TimestampHostHiPrec}})
	if want := "no timestamps of type adapter: there are host, host_hiprec"; err.Error() != want || !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("got %q, %v", err, errors.Is(err, errors.ErrUnsupported))
	}
}
