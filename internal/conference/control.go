package conference

import (
	"fmt"
	"reflect"
	"strings"

	"parley/internal/conference/setting"
	"parley/internal/fault"
)

const volumeMax = 30 // dB, either way

func (d *decision) set(c Set) error {
	i, err := d.find(c.ID)
	if err != nil {
		return err
	}
	old := *d.next.Participants[i]
	if old.Status == Leaving {
		return alreadyLeaving(c.ID)
	}
	changed, err := c.Patch.apply(old)
	if err != nil {
		return err
	}
	if err := d.checkRoutes(c.Patch); err != nil {
		return err
	}
	if reflect.DeepEqual(changed, old) {
		return nil
	}
	if changed.silent() {
		d.hush(i)
		changed.Speaking = false
	}
	d.participant(i, ConferencecallUpdated, func(p *Participant) { *p = changed })
	if changed.Role != old.Role {
		d.wait()
	}
	return nil
}

// apply returns p with the patch, or why it cannot be.
func (patch ParticipantPatch) apply(p Participant) (Participant, error) {
	setting.Put(&p.Name, patch.Name)
	setting.Put(&p.Role, patch.Role)
	setting.Put(&p.Muted, patch.Muted)
	setting.Put(&p.Deaf, patch.Deaf)
	setting.Put(&p.Held, patch.Held)
	setting.Put(&p.RemoteHeld, patch.RemoteHeld)
	setting.Put(&p.Volume, patch.Volume)
	setting.Put(&p.Media, patch.Media)
	p.CanHear, p.CanSpeak = routes(p.CanHear, patch.CanHear), routes(p.CanSpeak, patch.CanSpeak)
	var v setting.Verdict
	v.Text("name", p.Name, setting.NameMax)
	checkMedia(&v, p.Media)
	setting.Choose(&v, "role", &p.Role, Member, Moderator, Listener)
	if p.Volume < -volumeMax || p.Volume > volumeMax {
		v.On("volume", fmt.Errorf("%d dB is outside -%d..%d", p.Volume, volumeMax, volumeMax))
	}
	if v.Err == nil && p.Role == Listener {
		if patch.Muted != nil && !*patch.Muted {
			return p, fault.New(fault.Conflict, "LISTENER_IS_MUTED",
				"conferencecall %s is a listener and cannot be unmuted; give it another role first", p.ID)
		}
		p.Muted = true
	}
	return p, v.Err
}

func (d *decision) speech(c Speech) error {
	i := d.next.index(c.ID)
	if i < 0 {
		return nil
	}
	p := d.next.Participants[i]
	switch {
	case !c.Speaking:
		d.hush(i)
	case p.Status == Joined && !p.silent() && !p.Speaking:
		d.participant(i, ConferencecallSpeechStarted, func(p *Participant) { p.Speaking = true })
	}
	return nil
}

func (d *decision) digit(c Digit) error {
	digit := strings.ToUpper(c.Digit)
	if len(digit) != 1 || !strings.Contains("0123456789*#ABCD", digit) {
		return invalid("digit", "%q is not one of 0-9, *, #, A-D", c.Digit)
	}
	i := d.next.index(c.ID)
	if i < 0 || d.next.Participants[i].Status != Joined {
		return nil
	}
	p := d.next.Participants[i]
	d.emit(Event{Type: ConferencecallDigitReceived, Participant: p, Digit: digit})
	d.agree(p.ID)
	return nil
}
