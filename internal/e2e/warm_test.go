package e2e

import "testing"

// TestWarmTransferWithCoach: an agent talks with a customer. A colleague is called into the room and enters unheard; coaching, it is heard by the agent and
// not by the customer; then by both; the agent hangs up, and customer and colleague go on.
func TestWarmTransferWithCoach(t *testing.T) {
	t.Parallel()
	const hertzC = 1300
	p := newPair(t)
	agent, customer := p.a, p.b
	colleague, address := callee(t, "G722", hertzC)
	brought := p.s.must("POST", "/conferences/"+p.room+"/conferencecalls", object{
		"destination": object{"type": "sip", "target": address}, "name": "Colleague", "muted": true,
	})
	who := "/conferencecalls/" + brought["id"].(string)
	colleague.accept()
	p.s.wait(p.room, "conferencecall_joined", 3)
	colleague.hearsTone(hertzA)
	colleague.hearsTone(hertzB)
	agent.hearsNone(hertzC)
	customer.hearsNone(hertzC)

	p.s.must("POST", who+"/supervise", object{"mode": "coach", "conferencecall_ids": []string{p.partA}})
	p.s.must("DELETE", who+"/mute", nil)
	agent.hearsTone(hertzC)
	customer.hearsNone(hertzC)
	customer.hearsTone(hertzA)

	p.s.must("POST", who+"/supervise", object{"mode": "barge"})
	customer.hearsTone(hertzC)
	agent.hangup()
	p.s.wait(p.room, "conferencecall_leaved", 1)
	customer.hearsTone(hertzC)
	customer.hearsNone(hertzA)
	colleague.hearsTone(hertzB)
	colleague.hearsNone(hertzA)

	p.s.must("DELETE", "/conferences/"+p.room, nil)
	customer.waitFor("CALL_CLOSED")
	colleague.waitFor("CALL_CLOSED")
}
