// Package call holds the rules of a call: one SIP, phone or WebRTC leg with its states, hangup reasons and address
// forms. Pure values; who runs a call is package line's business.
package call
