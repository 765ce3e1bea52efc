/** Chat templates that have a name: our own texts of the formats that these models were trained on. */

const chatml = `{%- for message in messages -%}
{{ '<|im_start|>' ~ message.role ~ '\\n' ~ message.content ~ '<|im_end|>\\n' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|im_start|>assistant\\n' }}
{%- endif -%}`;

const llama3 = `{{- bos_token -}}
{%- for message in messages -%}
{{ '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content | trim ~ '<|eot_id|>' }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif -%}`;

/** The system message, which the format does not have, stands before the first instruction. */
const mistral = `{{- bos_token -}}
{%- set chat = namespace(system='') -%}
{%- for message in messages -%}
{%- if message.role == 'system' -%}
{%- set chat.system = message.content ~ '\\n\\n' -%}
{%- elif message.role == 'user' -%}
{{ '[INST] ' ~ chat.system ~ message.content ~ ' [/INST]' }}
{%- set chat.system = '' -%}
{%- elif message.role == 'assistant' -%}
{{ ' ' ~ message.content ~ eos_token }}
{%- else -%}
{{ raise_exception('this template has no role ' ~ message.role) }}
{%- endif -%}
{%- endfor -%}`;

const alpaca = `{%- for message in messages -%}
{%- if message.role == 'system' -%}
{{ message.content ~ '\\n\\n' }}
{%- elif message.role == 'user' -%}
{{ '### Instruction:\\n' ~ message.content ~ '\\n\\n' }}
{%- elif message.role == 'assistant' -%}
{{ '### Response:\\n' ~ message.content ~ eos_token ~ '\\n\\n' }}
{%- else -%}
{{ raise_exception('this template has no role ' ~ message.role) }}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '### Response:\\n' }}
{%- endif -%}`;

/** Only what the user says has no end mark of a turn. */
const exaone = `{%- for message in messages -%}
{{ '[|' ~ message.role ~ '|]' ~ message.content ~ ('\\n' if message.role == 'user' else '[|endofturn|]\\n') }}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{ '[|assistant|]' }}
{%- endif -%}`;

export const chatTemplates: ReadonlyMap<string, string> = new Map(
  Object.entries({ alpaca, chatml, exaone, llama3, mistral }),
);
