// Reads an AsyncAPI document on standard input; says what the official parser finds wrong with it.
import { readFileSync } from 'node:fs'
import { Parser } from '@asyncapi/parser'

const ERROR = 0
const WARNING = 1
const { document, diagnostics } = await new Parser().parse(readFileSync(0, 'utf8'))
const wrong = diagnostics.filter((one) => one.severity === ERROR || one.severity === WARNING)
for (const one of wrong) console.log(`${one.path.join('.')}: ${one.message}`)
process.exit(document && !wrong.length ? 0 : 1)
