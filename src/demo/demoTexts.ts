/** What the people of the demo say. */
export const opening = 'Good morning, everybody! :sun_with_face:';

export const chatter: readonly string[] = [
  'Has anybody looked at the new schema already?',
  'Yes, the cursors are opaque now. Nothing to do on our side.',
  'I will be in at ten tomorrow.',
  'The customer from Lyon called again: *the invoice is still missing*.',
  'I sent it yesterday, let me check.',
  'Bom dia! O relatório de vendas está pronto.',
  'Can somebody review the text for the launch?',
  'On it. Give me half an hour.',
  'The page loads in 80 ms here, it was 900 before. :tada:',
  'Which browser is that?',
  'Firefox, and the phone too.',
  'Je prends la permanence de demain.',
  'Merci ! Then I take Friday.',
  'We need `npm run db:migrate` before the next start.',
  'Done, and the second process is up as well.',
  'Lunch at half past twelve?',
  'Count me in.',
  'The list of open questions is in the topic of this room.',
  'I moved the call to three, the others could not make it.',
  'Perfect, see you there.',
  'Os números de novembro parecem ótimos.',
  'Who has the key to the small meeting room?',
  'It is at the reception.',
];
