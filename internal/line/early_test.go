package line_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/line"
)

func (p *phone) heardOfRinging() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.rings)
}

// TestCallerHearsItsCallees says what a caller learns of those whom its call is for, before one has answered: nothing, ringing, sound.
func TestCallerHearsItsCallees(t *testing.T) {
	const hash = "0123456789ab"
	connect := func(options string) string {
		return `[{"type":"connect","option":{"destinations":[{"type":"extension","target":"bob"},{"type":"extension","target":"carol"}]` + options + `}}]`
	}
	for _, tt := range []struct {
		name       string
		flow       string
		late       bool // the caller's INVITE has no offer
		bob, carol []int
		want       string // R: ringing, S: sound, in their order; a stroke for each second until the answer
	}{
		{"rings", connect(`,"early_media":true`), false, []int{100, 180, 180, 200}, []int{100, 180}, "--R--"},
		{"nobody rings", connect(`,"early_media":true`), false, []int{100, 100, 200}, []int{100}, "---"},
		{"sound", connect(`,"early_media":true`), false, []int{183, 100, 200}, []int{100, 100, 180}, "-S--"},
		{"ringing and sound", connect(`,"early_media":true`), false, []int{180, 100, 100, 200}, []int{100, 183, 183}, "-R-S--"},
		{"sound that was not asked for", connect(``), false, []int{180, 183, 200}, []int{100}, "-R--"},
		{"no offer to be answered", connect(`,"early_media":true`), true, []int{180, 183, 100, 200}, []int{100}, "-R---"},
		{"a flow of more", `[{"type":"sleep","option":{"duration":1000}},` + connect(`,"early_media":true`)[1:], false, []int{183, 100, 200}, []int{100}, "R--S--"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, map[string][]int{"bob": tt.bob, "carol": tt.carol}, func(b *theatre, n *network) {
				b.flow(tt.flow, hash)
				p := newPhone()
				in := b.invite("direct."+hash, offer("sendrecv", "PCMU"))
				if tt.late {
					in.Offer, p.confirm = nil, offer("sendrecv", "PCMU")
				}
				b.run(b.ctx, b.accept(p, in))
				got, told := "", 0
				for range 10 {
					time.Sleep(100 * time.Millisecond)
					synctest.Wait()
					for rings := p.heardOfRinging(); told < len(rings); told++ {
						if rings[told] == "" {
							got += "R"
						} else {
							got += "S"
						}
					}
					if p.isAnswered() {
						break
					}
					got += "-"
					time.Sleep(900 * time.Millisecond)
				}
				if got != tt.want || !p.isAnswered() {
					t.Errorf("%s, want %s", got, tt.want)
				}
				p.end("remote", 0)
				b.runs.Wait()
			})
		})
	}
}

// TestCallersGiveUp: a caller who hangs up while it hears its callee takes that one along.
func TestCallersGiveUp(t *testing.T) {
	const hash = "0123456789ab"
	for name, give := range map[string]func(b *theatre, p *phone, l *line.Line){
		"CANCEL": func(_ *theatre, p *phone, _ *line.Line) { p.end("remote", 487) },
		"API":    func(b *theatre, _ *phone, l *line.Line) { _, _ = b.x.Hangup(b.ctx, string(b.calls()[0].ID)) },
	} {
		t.Run(name, func(t *testing.T) {
			place(t, map[string][]int{"bob": {183, 100}}, func(b *theatre, n *network) {
				b.flow(`[{"type":"connect","option":{"early_media":true,"destinations":[{"type":"extension","target":"bob"}]}}]`, hash)
				p := newPhone()
				l := b.accept(p, b.invite("direct."+hash, offer("sendrecv", "PCMU")))
				b.run(b.ctx, l)
				time.Sleep(3 * time.Second)
				if len(p.heardOfRinging()) != 1 {
					t.Fatalf("the caller has heard %q", p.heardOfRinging())
				}
				give(b, p, l)
				b.runs.Wait()
				synctest.Wait()
				time.Sleep(time.Second)
				if len(n.leg(0).canceled) != 1 || b.x.Live() != 0 {
					t.Errorf("Bob has been cancelled %d times, %d calls are live", len(n.leg(0).canceled), b.x.Live())
				}
				for _, c := range b.calls() {
					if c.Status != call.Ended || !c.Times.Progressing.IsZero() {
						t.Errorf("%s call is %s, progressing since %v", c.Direction, c.Status, c.Times.Progressing)
					}
				}
			})
		})
	}
}
