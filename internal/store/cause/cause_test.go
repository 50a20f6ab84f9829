package cause_test

import (
	"context"
	"net/netip"
	"testing"

	"parley/internal/store/cause"
)

func TestMask(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.77":           "192.0.2.0/24",
		"::ffff:192.0.2.77":    "192.0.2.0/24",
		"2001:db8:1:2::5":      "2001:db8:1::/48",
		"fe80::1%eth0":         "fe80::/48",
		"127.0.0.1":            "127.0.0.0/24",
		"255.255.255.255":      "255.255.255.0/24",
		"2001:db8:ffff:eeee::": "2001:db8:ffff::/48",
	} {
		if got := cause.Mask(netip.MustParseAddr(from)); got != want {
			t.Errorf("%s is shown as %q, want %q", from, got, want)
		}
	}
	if got := cause.Mask(netip.Addr{}); got != "" {
		t.Errorf("no address is shown as %q", got)
	}
}

func TestContext(t *testing.T) {
	ctx := context.Background()
	if cause.In(ctx) != nil || cause.In(cause.Put(ctx, nil)) != nil {
		t.Error("a cause comes from nowhere")
	}
	ctx = cause.With(ctx, cause.Cause{Kind: cause.API, RequestID: "req_1"})
	if got := string(cause.In(context.WithoutCancel(ctx))); got != `{"kind":"api","request_id":"req_1"}` {
		t.Errorf("got %s", got)
	}
	if n := testing.AllocsPerRun(100, func() { _ = cause.In(ctx) }); n > 0 {
		t.Errorf("looking at the cause allocates %v times", n)
	}
	if got := string(cause.In(cause.Put(ctx, cause.ByTimer))); got != `{"kind":"timer"}` {
		t.Errorf("the nearest cause counts, got %s", got)
	}
}

// BenchmarkCause is what a request pays for being named, whatever it changes.
func BenchmarkCause(b *testing.B) {
	ctx := context.Background()
	at := netip.MustParseAddr("192.0.2.77")
	b.ReportAllocs()
	for b.Loop() {
		c := cause.Cause{Kind: cause.API, RequestID: "req_ABCDEFGHIJKLMNOPQRSTUVWXYZ", AccesskeyID: "6c8dd8f6-9f0a-5c0b-9d0e-6b8f3b0f7a51", Address: cause.Mask(at)}
		if cause.In(cause.With(ctx, c)) == nil {
			b.Fatal("no cause")
		}
	}
}
