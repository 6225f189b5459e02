import type { DeliveredEvent } from '../../events/delivered.ts';
import { builder } from '../../graphql/builder.ts';
import { Room, shownRoomLoader } from '../rooms/rooms.graphql.ts';

/** What every durable event has. */
export const RoomChange = builder.interfaceRef<DeliveredEvent>('RoomChange').implement({
  description: 'A durable change of a room: everybody who follows the room gets it once, in the same order.',
  fields: (t) => ({
    cursor: t.exposeString('cursor', {
      description:
        'Where this subscription stands after it: the same subscription `after` it goes on with what comes next.',
    }),
    room: t.field({
      type: Room,
      description: 'Where it happened.',
      resolve: ({ roomId }, _args, context) => shownRoomLoader(context).load(roomId),
    }),
  }),
});
