package main

import "testing"

func TestSpread(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   spread
	}{
		{nil, spread{}},
		{[]float64{3}, spread{3, 3, 3, 3, 3}},
		{[]float64{4, 1}, spread{2.5, 1, 4, 1, 4}},
		{[]float64{9, 1, 5}, spread{5, 1, 9, 1, 9}},
		{[]float64{8, 1, 2, 7, 3, 6, 4, 5}, spread{4.5, 1, 8, 3, 6}},
	} {
		if got := spreadOf(tt.values); got != tt.want {
			t.Errorf("spreadOf(%v) = %v, want %v", tt.values, got, tt.want)
		}
	}
}

func TestNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.00001: "1e-05", 0.0123: "0.012", 1.234: "1.23", 45.67: "45.7", 999: "999", 1234567.8: "1,234,568", 123456: "123,456",
	} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
