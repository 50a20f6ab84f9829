package line_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley/internal/call"
)

// TestSRTPOrElse says what happens to a phone that refuses SRTP, and to one that is busy with it.
func TestSRTPOrElse(t *testing.T) {
	for _, tt := range []struct {
		name   string
		plain  bool // would do
		secure []int
		offers []string
		status call.Status
	}{
		{"refused, plain will do", true, []int{180, 488}, []string{"RTP/SAVP", "RTP/AVP"}, call.Progressing},
		{"refused, plain will not do", false, []int{488}, []string{"RTP/SAVP"}, call.Ended},
		{"busy", true, []int{486}, []string{"RTP/SAVP"}, call.Ended},
		{"nobody there", true, []int{503}, []string{"RTP/SAVP"}, call.Ended},
	} {
		t.Run(tt.name, func(t *testing.T) {
			place(t, map[string][]int{"bob by SRTP": tt.secure, "bob": {180, 200}}, func(b *theatre, n *network) {
				n.at["bob"], n.srtp, n.plain = []string{"bob"}, true, tt.plain
				delete(n.at, "bob by SRTP")
				o := order("bob")
				o.Actions = []byte(`[{"type":"sleep","option":{"duration":60000}}]`)
				if _, err := b.x.Place(b.ctx, o); err != nil {
					t.Fatal(err)
				}
				time.Sleep(10 * time.Second)
				var offers []string
				for i := 0; n.leg(i) != nil; i++ {
					_, media, _ := strings.Cut(string(n.leg(i).out.Offer), "m=audio ")
					offers = append(offers, strings.Fields(media)[1])
				}
				if !slices.Equal(offers, tt.offers) {
					t.Errorf("offered %v, want %v", offers, tt.offers)
				}
				if c := b.calls()[0]; c.Status != tt.status {
					t.Errorf("the call is %s, want %s", c.Status, tt.status)
				}
			})
		})
	}
}

// TestSRTPRequired: a phone whose calls have to be of SRTP is refused with anything else.
func TestSRTPRequired(t *testing.T) {
	place(t, map[string][]int{"bob": {200}}, func(b *theatre, _ *network) {
		in := b.invite("bob", offer("sendrecv", "PCMU"))
		in.CustomerID, in.Extension, in.Secure = customer, "ada", true
		_, err := b.x.Accept(b.ctx, in, newPhone())
		if wantReason(t, err, "NOT_ACCEPTABLE_MEDIA"); len(b.calls()) != 0 {
			t.Errorf("a refused call has %d records", len(b.calls()))
		}
	})
}
