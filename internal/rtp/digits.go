package rtp

import "time"

// digits reads telephone events (RFC 4733). An event is one key press, whatever packets of it arrive: it is known by its timestamp, so lost starts, lost
// ends and repeated packets do not matter; a press that is longer than the duration field holds goes on under a timestamp that follows.
type digits struct {
	any   bool
	stamp uint32
	code  byte
	at    time.Duration // when its last packet came
	queue [32]byte
	from  int
	count int
}

// forgotten is how long timestamps of events are compared: after half a turn of the clock they would mislead.
const forgotten = time.Minute

const keys = "0123456789*#ABCD"

func (d *digits) reset() { d.any = false }

// take reads the payload of an event packet.
func (d *digits) take(payload []byte, stamp uint32, now time.Duration) {
	if len(payload) < 4 || int(payload[0]) >= len(keys) {
		return
	}
	code := payload[0]
	if d.any && now-d.at < forgotten {
		ahead := int32(stamp - d.stamp)
		if ahead <= 0 {
			if ahead == 0 {
				d.at = now
			}
			return // of this or an earlier event
		}
		if code == d.code && ahead == 0xffff {
			d.stamp, d.at = stamp, now // the next segment of a long one (section 2.5.1.3)
			return
		}
	}
	d.any, d.stamp, d.code, d.at = true, stamp, code, now
	if d.count < len(d.queue) {
		d.queue[(d.from+d.count)%len(d.queue)] = keys[code]
		d.count++
	}
}

func (d *digits) next() (byte, bool) {
	if d.count == 0 {
		return 0, false
	}
	key := d.queue[d.from]
	d.from, d.count = (d.from+1)%len(d.queue), d.count-1
	return key, true
}
