package conference

import (
	"errors"
	"strings"

	"parley/internal/conference/setting"
)

// What a conference is told to be.
type (
	Settings  = setting.Settings
	Patch     = setting.Patch
	Admission = setting.Admission
)

// The admissions.
const (
	Open             = setting.Open
	WaitForModerator = setting.WaitForModerator
	Lobby            = setting.Lobby
	Locked           = setting.Locked
)

func checkMedia(v *setting.Verdict, m Media) {
	setting.Choose(v, "media.kind", &m.Kind, "", "sip", "webrtc")
	v.Text("media.codec", m.Codec, setting.NameMax)
	v.Text("media.address", m.Address, setting.NameMax)
}

func checkLeaveReason(v *setting.Verdict, r *LeaveReason, fallback LeaveReason) {
	if *r == "" {
		*r = fallback
	}
	setting.Choose(v, "leave_reason", r, LeftHangup, LeftKicked, LeftTerminated, LeftTimeout, LeftPeer, LeftMediaTimeout,
		LeftCallEnded, LeftMaxDuration, LeftRefused, LeftLost, LeftModeratorGone, LeftDenied, LeftMoved, LeftTransferred)
}

func checkDirectHash(hash string) error {
	if hash != "" && (len(hash) != 12 || strings.Trim(hash, "0123456789abcdef") != "") {
		return errors.New("it must be 12 lower-case hex digits")
	}
	return nil
}
