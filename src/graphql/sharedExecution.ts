import { randomUUID } from 'node:crypto';
import {
  createSourceEventStream,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  execute,
  type GraphQLError,
  getOperationAST,
  Kind,
  print,
  visit,
} from 'graphql';
import { endingWith } from '../events/iterators.ts';
import { type Context, createContext } from './context.ts';
import { isFault } from './errors.ts';
import { dependsOnViewer } from './viewerDependent.ts';

/** What an operation gave for an event, executed and written as JSON once for all who asked the same. */
export interface SharedResult {
  readonly json: string;
  /** The subscriber was told to resync, and its subscription ends. */
  readonly tooSlow: boolean;
  /** When its message was committed; null for other events. */
  readonly sentAt: Date | null;
}

export interface SharedExecution {
  /**
   * Runs a subscription: the events come from the field's own stream, whose access is decided for this subscriber; what
   * is made of an event is shared between subscribers of the same operation.
   */
  subscribe(args: ExecutionArgs): Promise<AsyncIterableIterator<SharedResult> | ExecutionResult>;
}

/** Results kept for one operation: subscribers of one room are rarely further apart, and the rest costs an execution. */
const resultsKept = 256;

/** Stands for the cursor of an event in a stream over many rooms: that is the subscriber's own, and put in afterwards. */
const cursorPlaceholder = randomUUID();

interface Executed {
  readonly json: string;
  readonly failed: boolean;
  /** A fault of ours, such as a database that is away: the event could not be shown to anybody as it is. */
  readonly fault: GraphQLError | null;
}

interface Operation {
  subscribers: number;
  /** By room and version for durable events, by the event itself for others. */
  readonly byVersion: Map<string, Promise<Executed>>;
  readonly byEvent: WeakMap<object, Promise<Executed>>;
}

export function createSharedExecution(deps: {
  mask: (error: unknown) => GraphQLError;
  /** Called for each execution: for metrics. */
  onExecute?: (() => void) | undefined;
}): SharedExecution {
  const { mask, onExecute } = deps;
  const operations = new Map<string, Operation>();

  async function run(args: ExecutionArgs, event: object): Promise<Executed> {
    onExecute?.();
    const { caller } = args.contextValue as Context;
    const executed = await execute({ ...args, rootValue: event, contextValue: createContext(caller) });
    const errors = executed.errors?.map(mask);
    const fault = errors?.find(isFault) ?? null;
    return { json: JSON.stringify(errors ? { ...executed, errors } : executed), failed: errors !== undefined, fault };
  }

  async function shared(args: ExecutionArgs, operation: Operation, event: object): Promise<Executed> {
    const key = versionKey(event);
    const known = key === null ? operation.byEvent.get(event) : operation.byVersion.get(key);
    if (known !== undefined) {
      const result = await known;
      // What failed for one viewer (who has just been removed, say) need not fail for another.
      return result.failed ? run(args, event) : result;
    }
    const started = run(args, event);
    if (key === null) operation.byEvent.set(event, started);
    else {
      operation.byVersion.set(key, started);
      const oldest = operation.byVersion.size > resultsKept ? operation.byVersion.keys().next().value : undefined;
      if (oldest !== undefined) operation.byVersion.delete(oldest);
    }
    return started;
  }

  async function perform(args: ExecutionArgs, operation: Operation, event: object): Promise<string> {
    // The cursor of one room is the same for everybody; that of a stream over many rooms is the subscriber's own.
    const manyRooms = isOfManyRooms(event);
    const shown = manyRooms ? { ...event, cursor: cursorPlaceholder } : event;
    const { json, fault } = await shared(args, operation, shown);
    // No event is passed over: the subscription ends with the fault, and is resumed after the last event before it.
    if (fault) throw fault;
    return manyRooms ? json.replaceAll(cursorPlaceholder, event.cursor) : json;
  }

  function enter(key: string): Operation {
    const operation = operations.get(key) ?? { subscribers: 0, byVersion: new Map(), byEvent: new WeakMap() };
    operations.set(key, operation);
    operation.subscribers++;
    return operation;
  }

  function leave(key: string, operation: Operation): void {
    operation.subscribers--;
    if (operation.subscribers === 0) operations.delete(key);
  }

  return {
    async subscribe(args) {
      const stream = await createSourceEventStream(args);
      if (!(Symbol.asyncIterator in stream)) return { ...stream, errors: stream.errors?.map(mask) ?? [] };
      const events = stream[Symbol.asyncIterator]();
      const key = operationKey(args);
      const operation = enter(key);
      let left = false;
      const end = () => {
        if (left) return;
        left = true;
        leave(key, operation);
        void events.return?.();
      };
      async function* results(): AsyncGenerator<SharedResult, void> {
        try {
          for (let next = await events.next(); !next.done; next = await events.next()) {
            const event = Object(next.value);
            const tooSlow = event.type === 'RESYNC' && event.reason === 'TOO_SLOW';
            const sentAt = event.type === 'MESSAGE_ADDED' ? event.message.createdAt : null;
            yield { json: await perform(args, operation, event), tooSlow, sentAt };
          }
        } catch (error) {
          yield { json: JSON.stringify({ errors: [mask(error)] }), tooSlow: false, sentAt: null };
        } finally {
          end();
        }
      }
      return endingWith(results(), end);
    },
  };
}

function versionKey(event: object): string | null {
  if (!('version' in event && 'roomId' in event)) return null;
  const many = 'cursor' in event && event.cursor === cursorPlaceholder ? ':many' : '';
  return `${event.roomId}:${event.version}${many}${messageState(event)}`;
}

/** A replay shows a message as it is by then: what it said before an edit or its deletion must not be given again. */
function messageState(event: object): string {
  if (!('message' in event)) return '';
  const { editedAt, deletedAt } = Object(event.message);
  return `:${Number(editedAt)}:${Number(deletedAt)}`;
}

function isOfManyRooms(event: object): event is { readonly cursor: string } {
  return 'manyRooms' in event && event.manyRooms === true;
}

const documents = new WeakMap<
  DocumentNode,
  { text: string; viewerDependent: boolean; positions: ReadonlySet<string> }
>();

/**
 * What makes two subscriptions the same: tenant, document, operation and variables, and the viewer where a selected
 * field depends on it. Where a subscriber starts is its own affair: a variable that is only that does not count.
 */
function operationKey(args: ExecutionArgs): string {
  let known = documents.get(args.document);
  if (!known) {
    const { document, schema } = args;
    known = {
      text: print(document),
      viewerDependent: dependsOnViewer(schema, document),
      positions: startVariables(document, args.operationName),
    };
    documents.set(document, known);
  }
  const { caller } = args.contextValue as Context;
  const variables = Object.entries(args.variableValues ?? {})
    .filter(([name]) => !known.positions.has(name))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const viewer = known.viewerDependent ? caller?.actor.id : null;
  return JSON.stringify([caller?.actor.tenantId, viewer, args.operationName ?? null, variables, known.text]);
}

/** The variables that are used once in the document, as the `after` of the subscription's own field. */
function startVariables(document: DocumentNode, operationName: string | null | undefined): ReadonlySet<string> {
  const uses = new Map<string, number>();
  visit(document, {
    VariableDefinition: (node) => {
      uses.set(node.variable.name.value, -1);
    },
    Variable: (node) => {
      uses.set(node.name.value, (uses.get(node.name.value) ?? 0) + 1);
    },
  });
  const operation = getOperationAST(document, operationName);
  const root = operation?.selectionSet.selections.find((selection) => selection.kind === Kind.FIELD);
  const after =
    root?.kind === Kind.FIELD ? root.arguments?.find((argument) => argument.name.value === 'after') : undefined;
  const name = after?.value.kind === Kind.VARIABLE ? after.value.name.value : undefined;
  return new Set(name !== undefined && uses.get(name) === 1 ? [name] : []);
}
