/** What a row of the option table says; option-table.ts has the rows. */

export type Unit = 'bytes' | 'ms' | 'bits' | 'threads' | 'shards' | 'calls' | 'entries' | 'files';

interface OptionBase<Value> {
  default: Value;
  /** One sentence, without the default. */
  help: string;
  /** The flag of `stormkv serve` that sets it. */
  flag?: string;
  /** It can change while the server runs (`stormkv reload`, SIGHUP). */
  reloads?: true;
}
export interface IntegerOption extends OptionBase<number> {
  type: 'integer';
  min: number;
  max: number;
  /** None for a plain number. */
  unit?: Unit;
}
/** Any number, where IntegerOption is a whole one. */
export interface NumberOption extends OptionBase<number> {
  type: 'number';
  min: number;
  max: number;
}
export interface TextOption extends OptionBase<string> {
  /** `address` = HOST:PORT; `file` = a path, empty for none. */
  type: 'text' | 'address' | 'file';
}
export interface ListOption extends OptionBase<readonly string[]> {
  /** In the environment separated by commas. */
  type: 'hosts' | 'origins' | 'quotas' | 'scopes';
}
export interface BooleanOption extends OptionBase<boolean> {
  type: 'boolean';
}
export interface ChoiceOption<Choice extends string = string> extends OptionBase<Choice> {
  type: 'choice';
  choices: readonly Choice[];
}
export type Option =
  | IntegerOption
  | NumberOption
  | TextOption
  | ListOption
  | BooleanOption
  | ChoiceOption;

/** The kinds of option that fit a value of the configuration. */
export type OptionFor<Value> = [Value] extends [number]
  ? IntegerOption | NumberOption
  : [Value] extends [boolean]
    ? BooleanOption
    : [Value] extends [readonly string[]]
      ? ListOption
      : [Value] extends [string]
        ? string extends Value
          ? TextOption
          : ChoiceOption<Value>
        : never;
