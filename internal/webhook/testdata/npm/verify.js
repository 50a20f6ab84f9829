// Reads one request a line, {"secret", "headers", "body"}, and says for each whether the libraries take it.
import { createInterface } from 'node:readline'
import { HTTP } from 'cloudevents'
import { Webhook } from 'standardwebhooks'

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line)
  try {
    const { type } = new Webhook(secret).verify(body, headers)
    if (headers['content-type'].startsWith('application/cloudevents')) {
      const event = HTTP.toEvent({ headers, body }) // throws unless it is valid
      if (event.specversion !== '1.0' || event.type !== type || event.data.name !== '<ä> \u2028 "quoted"') {
        throw new Error(`another event: ${event}`)
      }
    }
    console.log('ok ' + type)
  } catch (err) {
    console.log('refused ' + err.message)
  }
}
