package line_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"parley/internal/call"
	"parley/internal/conference"
	"parley/internal/fault"
	"parley/internal/store"
)

// extension keeps an extension.
func (b *theatre) extension(id, name, hash string) {
	b.Helper()
	err := b.store.Append(b.ctx, &store.Change{
		Key:     "extension/" + id,
		Events:  []store.Event{{ID: id, Type: "extension_created", At: time.Now(), CustomerID: customer, Resource: id, Data: []byte("{}")}},
		Records: []store.Record{{Kind: store.Extension, ID: id, CustomerID: customer, Created: time.Now(), Doc: []byte(`{"id":"` + id + `","extension":"` + name + `"}`)}},
		Names: []store.Name{
			{Space: "extension", Value: name, Kind: store.Extension, ID: id}, {Space: "direct", Value: hash, Kind: store.Extension, ID: id},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
}

func (p *phone) isAnswered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.answered
}

// TestPhonesCallPhones says whom a phone of ours reaches by dialling, and who else reaches nobody.
func TestPhonesCallPhones(t *testing.T) {
	const bobs, hash = "bbbbbbbb-0000-4000-8000-00000000000b", "0123456789ab"
	for _, tt := range []struct {
		name, target, customer, extension string
		want                              string // reason of the refusal
	}{
		{name: "by name", target: "bob", customer: customer, extension: "alice"},
		{name: "by prefix", target: "extension:bob", customer: customer, extension: "alice"},
		{name: "by direct hash, from anywhere", target: "direct." + hash},
		{name: "nobody", target: "nobody", customer: customer, extension: "alice", want: "EXTENSION_NOT_REGISTERED"},
		{name: "a number without trunks", target: "+4930123456", customer: customer, extension: "alice", want: "DESTINATION_NOT_ALLOWED"},
		{name: "a number by its scheme", target: "tel:+4930123456", customer: customer, extension: "alice", want: "DESTINATION_NOT_ALLOWED"},
		{name: "an address outside", target: "sip:bob@example.com", customer: customer, extension: "alice", want: "DESTINATION_NOT_ALLOWED"},
		{name: "an unknown prefix", target: "line:7", customer: customer, extension: "alice", want: "CONFERENCE_NOT_FOUND"},
		{name: "by name, from a trunk", target: "bob", customer: customer, want: "CONFERENCE_NOT_FOUND"},
		{name: "a number, from a trunk", target: "+4930123456", customer: customer, want: "CONFERENCE_NOT_FOUND"},
		{name: "by name, from a stranger", target: "bob", want: "AUTHENTICATION_REQUIRED"},
		{name: "a number, from a stranger", target: "+4930123456", want: "AUTHENTICATION_REQUIRED"},
		{name: "nobody, from a stranger", target: "nobody", want: "CONFERENCE_NOT_FOUND"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, map[string][]int{"bob": {180, 200}, bobs: {180, 200}}, func(b *theatre, n *network) {
				b.extension(bobs, "bob", hash)
				p := newPhone()
				in := b.invite(tt.target, offer("sendrecv", "PCMU"))
				in.CustomerID, in.Extension, in.Source = tt.customer, tt.extension, call.Address{Type: "tel", Target: "+1900555", TargetName: "Alice"}
				l, err := b.x.Accept(b.ctx, in, p)
				if tt.want != "" {
					if wantReason(t, err, tt.want); len(b.calls()) != 0 {
						t.Errorf("a refused call has %d records", len(b.calls()))
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				b.run(b.ctx, l)
				time.Sleep(time.Second)
				if p.isAnswered() {
					t.Error("answered before Bob has")
				}
				time.Sleep(9 * time.Second)
				joined := slices.DeleteFunc(b.participants(), func(p conference.Participant) bool { return p.Status != conference.Joined })
				if len(joined) != 2 || !p.isAnswered() {
					t.Fatalf("%d have joined", len(joined))
				}
				if from := n.leg(0).out.FromUser; tt.extension != "" && from != tt.extension {
					t.Errorf("Bob sees %q", from)
				}
				p.end("remote", 0)
				b.runs.Wait()
				synctest.Wait()
				if b.x.Live() != 0 {
					t.Errorf("%d calls are live", b.x.Live())
				}
			})
		})
	}
}

// TestPhoneIsTold says that a caller hears of its callee's answer as of its own: busy is busy.
func TestPhoneIsTold(t *testing.T) {
	for status, kind := range map[int]fault.Kind{486: fault.Exhausted, 603: fault.Conflict} {
		place(t, map[string][]int{"bob": {180, status}}, func(b *theatre, _ *network) {
			b.extension("bbbbbbbb-0000-4000-8000-00000000000b", "bob", "0123456789ab")
			p := newPhone()
			in := b.invite("bob", offer("sendrecv", "PCMU"))
			in.CustomerID, in.Extension = customer, "alice"
			b.run(b.ctx, b.accept(p, in))
			time.Sleep(10 * time.Second)
			p.mu.Lock()
			defer p.mu.Unlock()
			if len(p.rejected) != 1 || fault.KindOf(p.rejected[0]) != kind || p.answered {
				t.Errorf("%d: rejected with %v", status, p.rejected)
			}
		})
	}
}
