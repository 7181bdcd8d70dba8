#include "tools/kvctl/completion.h"

#include <set>

namespace quorate::kvctl {
namespace {

Completion Start(std::string stem, std::string_view typed) {
  Completion completion;
  completion.stem = std::move(stem);
  completion.typed = typed;
  return completion;
}

void Offer(const std::string& word, const std::string& help, Completion* completion) {
  if (word.starts_with(completion->typed)) {
    completion->candidates.push_back({completion->stem + word, help});
  }
}

// What a placeholder of the help stands for.
void OfferByMeaning(std::string_view placeholder, Completion* completion) {
  if (placeholder == "KEYSPACE") {
    completion->names = Completion::Names::kKeyspaces;
  } else if (placeholder == "NODE") {
    completion->names = Completion::Names::kNodes;
  } else if (placeholder == "CONTEXT") {
    completion->names = Completion::Names::kContexts;
  } else if (placeholder == "FILE" || placeholder == "PROGRAM") {
    completion->files = Completion::Files::kPlain;
  } else if ((placeholder == "KEY" || placeholder == "VALUE") &&
             completion->typed.starts_with('@') && !completion->typed.starts_with("@@")) {
    completion->files = Completion::Files::kAfterAt;
  }
}

Completion CompleteFlagValue(const FlagInfo& flag, std::string stem, std::string_view typed) {
  Completion completion = Start(std::move(stem), typed);
  for (const std::string& choice : flag.choices) {
    Offer(choice, "", &completion);
  }
  OfferByMeaning(flag.value, &completion);
  return completion;
}

Completion CompleteFlag(const TypedLine& line, const std::string& typed) {
  const size_t equals = typed.find('=');
  if (equals != std::string::npos) {
    const FlagInfo* flag = FindFlag(line.path, typed.substr(0, equals));
    return flag == nullptr ? Completion{}
                           : CompleteFlagValue(*flag, typed.substr(0, equals + 1),
                                               std::string_view(typed).substr(equals + 1));
  }
  Completion completion = Start("", typed);
  std::set<std::string> offered;  // a command's own flag hides a parent's of the same name
  for (auto command = line.path.rbegin(); command != line.path.rend(); ++command) {
    for (const FlagInfo& flag : (*command)->flags) {
      if (!line.flags.contains(flag.name) && offered.insert(flag.name).second) {
        Offer(flag.name, flag.help, &completion);
      }
    }
  }
  return completion;
}

// The commands below a path of names; of "help" and "man".
Completion CompleteCommandPath(const CommandInfo& root, const std::vector<std::string>& path,
                               std::string_view typed) {
  const CommandInfo* command = &root;
  for (const std::string& name : path) {
    const CommandInfo* found = nullptr;
    for (const CommandInfo& child : command->commands) {
      found = child.name == name ? &child : found;
    }
    if (found == nullptr) {
      return {};
    }
    command = found;
  }
  Completion completion = Start("", typed);
  for (const CommandInfo& child : command->commands) {
    Offer(child.name, child.help, &completion);
  }
  return completion;
}

Completion CompleteArgument(const TypedLine& line, const std::string& typed) {
  const CommandInfo& command = line.command();
  if (!command.commands.empty()) {
    return CompleteCommandPath(command, {}, typed);
  }
  const size_t place = line.arguments.size();
  const ArgumentInfo* argument = nullptr;
  if (place < command.arguments.size()) {
    argument = &command.arguments[place];
  } else if (!command.arguments.empty() && command.arguments.back().repeated) {
    argument = &command.arguments.back();
  }
  if (argument == nullptr) {
    return {};
  }
  if (argument->name == "COMMAND") {
    return CompleteCommandPath(*line.path.front(), line.arguments, typed);
  }
  Completion completion = Start("", typed);
  for (const std::string& choice : argument->choices) {
    Offer(choice, "", &completion);
  }
  OfferByMeaning(argument->meaning, &completion);
  return completion;
}

constexpr std::string_view kBash =
    R"(# Completion of kvctl for bash. To load it: source <(kvctl completion bash)
_kvctl() {
  local rest=${COMP_LINE:0:COMP_POINT} trimmed word line path stem i
  local -a words=() replies=()
  # Bash takes words apart at = and : too; what no space separates belongs together.
  for ((i = 0; i <= COMP_CWORD; i++)); do
    trimmed=${rest#"${rest%%[![:space:]]*}"}
    word=${COMP_WORDS[i]}
    ((i < COMP_CWORD)) || word=$trimmed
    if ((i > 0)) && [[ $trimmed == "$rest" ]]; then
      words[${#words[@]}-1]+=$word
    else
      words+=("$word")
    fi
    rest=${trimmed#"$word"}
  done
  word=${words[${#words[@]}-1]}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files)
        compopt -o filenames 2>/dev/null
        while IFS= read -r path; do replies+=("$path"); done < <(compgen -f -- "${word##*=}")
        ;;
      :@files)
        while IFS= read -r path; do
          printf -v path '%q' "$path"
          if [[ -d ${path} ]]; then path+=/; compopt -o nospace 2>/dev/null; fi
          replies+=("@$path")
        done < <(compgen -f -- "${word#@}")
        ;;
      *) replies+=("${line%%$'\t'*}") ;;
    esac
  done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
  # Of what it took apart, bash puts back the last part only.
  stem=${word%"${word##*[=:]}"}
  COMPREPLY=("${replies[@]#"$stem"}")
}
complete -F _kvctl kvctl
)";

constexpr std::string_view kZsh = R"(#compdef kvctl
# Completion of kvctl for zsh. To load it: source <(kvctl completion zsh)
_kvctl() {
  local line
  local -a names shown
  for line in "${(@f)$("${words[1]}" __complete "${(@Q)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
    case $line in
      '') ;;
      :files)
        compset -P '*='
        _files
        return
        ;;
      :@files)
        compset -P '@'
        _files
        return
        ;;
      *)
        names+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
        ;;
    esac
  done
  (( ${#names} )) && compadd -l -d shown -a names
}
# Loaded as a function of $fpath, zsh runs this file at the first completion.
if [[ "${funcstack[1]}" == _kvctl ]]; then
  _kvctl "$@"
else
  compdef _kvctl kvctl
fi
)";

constexpr std::string_view kFish =
    R"(# Completion of kvctl for fish. To load it: kvctl completion fish | source
function __kvctl_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete $words[2..] 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path (string replace -r '^-.*=' '' -- (commandline -ct))
            case ':@files'
                for path in (__fish_complete_path (string sub -s 2 -- (commandline -ct)))
                    echo "@$path"
                end
            case '*'
                echo $line
        end
    end
end
complete -c kvctl -f -a '(__kvctl_complete)'
)";

}  // namespace

Completion CompleteWords(const CommandInfo& root, const std::vector<std::string>& words) {
  const std::string typed = words.empty() ? "" : words.back();
  std::vector<std::string> before = words;
  if (!before.empty()) {
    before.pop_back();
  }
  const TypedLine line = ReadWords(root, before);
  if (line.open_flag != nullptr && !(line.open_flag->value_optional && typed.starts_with('-'))) {
    return CompleteFlagValue(*line.open_flag, "", typed);
  }
  if (typed.starts_with('-') && !line.flags_ended) {
    return CompleteFlag(line, typed);
  }
  return CompleteArgument(line, typed);
}

void AddNames(const std::vector<Candidate>& names, Completion* completion) {
  for (const Candidate& name : names) {
    Offer(name.word, name.help, completion);
  }
}

std::string_view CompletionScript(std::string_view shell) {
  return shell == "bash"   ? kBash
         : shell == "zsh"  ? kZsh
         : shell == "fish" ? kFish
                           : std::string_view();
}

}  // namespace quorate::kvctl
