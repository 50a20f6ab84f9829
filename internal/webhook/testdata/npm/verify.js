// Reads one request a line, {"secret", "headers", "body"}, and says for each whether the library takes it.
import { createInterface } from 'node:readline'
import { Webhook } from 'standardwebhooks'

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line)
  try {
    console.log('ok ' + new Webhook(secret).verify(body, headers).type)
  } catch (err) {
    console.log('refused ' + err.message)
  }
}
