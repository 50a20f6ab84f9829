package ledger

import (
	"net/netip"

	"parley/internal/call"
	"parley/internal/store/cause"
)

// Phone is the cause of what the phone of a call, or the trunk behind which it is, brings about.
func Phone(id call.ID, sipCallID string, at netip.Addr) cause.Cause {
	return cause.Cause{Kind: cause.SIP, CallID: string(id), SIPCallID: sipCallID, Address: cause.Mask(at)}
}
