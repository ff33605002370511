// SPDX-License-Identifier: MIT
// Parses the text record of a plugin (format: sdk/README.md, "The record"). The text comes from a file nobody has
// vouched for, so every field is checked and every refusal names the line.
#include "plugin/record.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/error.hpp"
#include "base/text.hpp"
#include "plugin/elf_section.hpp"

namespace kdhost {
namespace {

constexpr std::array<std::pair<std::string_view, kdh_type>, 11> kTypeNames{{{"none", KDH_T_NONE},
                                                                            {"tensor", KDH_T_TENSOR},
                                                                            {"int", KDH_T_INT},
                                                                            {"float", KDH_T_FLOAT},
                                                                            {"bool", KDH_T_BOOL},
                                                                            {"string", KDH_T_STRING},
                                                                            {"int_list", KDH_T_INT_LIST},
                                                                            {"tensor_list", KDH_T_TENSOR_LIST},
                                                                            {"float_list", KDH_T_FLOAT_LIST},
                                                                            {"generator", KDH_T_GENERATOR},
                                                                            {"string_list", KDH_T_STRING_LIST}}};

constexpr std::array<std::pair<std::string_view, kdh_kind>, 6> kKindNames{{{"loss", KDH_KIND_LOSS},
                                                                           {"model", KDH_KIND_MODEL},
                                                                           {"scheduler", KDH_KIND_SCHEDULER},
                                                                           {"dataset", KDH_KIND_DATASET},
                                                                           {"transform", KDH_KIND_TRANSFORM},
                                                                           {"metric", KDH_KIND_METRIC}}};

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// Undoes \n, \t, \\ and \| ; nothing where a backslash is followed by something else.
std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    if (++i == text.size()) return std::nullopt;
    switch (text[i]) {
      case 'n':
        out += '\n';
        break;
      case 't':
        out += '\t';
        break;
      case '\\':
      case '|':
        out += text[i];
        break;
      default:
        return std::nullopt;
    }
  }
  return out;
}

// Elements separated by '|', a literal one being written "\|".
std::vector<std::string_view> split_elements(std::string_view text) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && text[i] == '\\') {
      ++i;
    } else if (i >= text.size() || text[i] == '|') {
      parts.push_back(text.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  return parts;
}

// A default as the recorder writes it: a TOML boolean, number, basic string or flat list. Nothing where it is not one.
class Literal {
 public:
  explicit Literal(std::string_view text) : rest_(text) {}

  std::optional<Value> parse() {
    std::optional<Value> value = rest_.substr(0, 1) == "[" ? list() : scalar();
    return rest_.empty() ? value : std::nullopt;
  }

 private:
  std::optional<Value> list() {
    ValueList values;
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != ']') {
      std::optional<Value> value = scalar();
      if (!value) return std::nullopt;
      values.push_back(std::move(*value));
      if (rest_.substr(0, 2) == ", ") rest_.remove_prefix(2);
    }
    if (rest_.empty()) return std::nullopt;
    rest_.remove_prefix(1);
    return Value(std::move(values));
  }

  std::optional<Value> scalar() {
    if (rest_.substr(0, 1) == "\"") return string();
    const std::string_view word = rest_.substr(0, rest_.find_first_of(",]"));
    rest_.remove_prefix(word.size());
    if (word == "true" || word == "false") return Value(word == "true");
    if (const auto integer = parse_number<std::int64_t>(word)) return Value(*integer);
    if (const auto number = parse_number<double>(word)) return Value(*number);
    return std::nullopt;
  }

  std::optional<Value> string() {
    std::string out;
    for (std::size_t i = 1; i < rest_.size(); ++i) {
      if (rest_[i] == '"') {
        rest_.remove_prefix(i + 1);
        return Value(std::move(out));
      }
      if (rest_[i] == '\\' && ++i < rest_.size()) {
        out += rest_[i] == 'n' ? '\n' : rest_[i] == 't' ? '\t' : rest_[i];
      } else if (i < rest_.size()) {
        out += rest_[i];
      }
    }
    return std::nullopt;
  }

  std::string_view rest_;
};

class RecordParser {
 public:
  RecordParser(std::string_view text, const std::filesystem::path& file) : text_(text), file_(file) {}

  Record parse() {
    bool first = true;
    while (!text_.empty()) {
      const std::size_t end = text_.find('\n');
      const std::string_view line = text_.substr(0, end);
      text_.remove_prefix(end == std::string_view::npos ? text_.size() : end + 1);
      ++line_;
      if (first) {
        header(line);
        first = false;
      } else if (!line.empty()) {
        body(line);
      }
    }
    if (first) damaged("is empty");
    record_.lists_components = !record_.components.empty();
    return std::move(record_);
  }

 private:
  [[noreturn]] void damaged(const std::string& why) const {
    Message message;
    message.where = printable(file_.string(), 4096);
    message.what = "has a damaged plugin record: line " + std::to_string(std::max(line_, 1)) + " " + why + ".";
    message.mend = "Build the plugin again with this kdhost's SDK.";
    throw Error(Exit::plugin, std::move(message));
  }

  std::string field(std::string_view text) const {
    std::optional<std::string> out = unescape(text);
    if (!out) damaged("has an unknown escape in " + kdhost::quoted(std::string(text)));
    if (!is_clean_text(*out)) damaged("holds bytes that are not UTF-8 text");
    return *out;
  }

  // "a=1 b=two words c=3": a word without '=' belongs to the value before it.
  std::vector<std::pair<std::string, std::string>> pairs(std::string_view line) const {
    if (!is_clean_text(line)) damaged("holds bytes that are not UTF-8 text");
    return parse_fingerprint(line);
  }

  void header(std::string_view line) {
    constexpr std::string_view kMagic = KDH_RECORD_MAGIC " ";
    if (line.substr(0, kMagic.size()) != kMagic) {
      damaged("is " + kdhost::quoted(std::string(line.substr(0, 40))) +
              ", expected it to begin with " KDH_RECORD_MAGIC);
    }
    bool has_abi = false;
    bool has_tier = false;
    for (auto& [key, value] : pairs(line.substr(kMagic.size()))) {
      if (key == "abi") {
        const std::vector<std::string_view> numbers = split(value, '.');
        const auto major = parse_number<std::uint32_t>(numbers[0]);
        const auto minor = numbers.size() == 2 ? parse_number<std::uint32_t>(numbers[1]) : std::nullopt;
        if (!major || !minor) damaged("has abi=" + printable(value) + ", expected two numbers as in abi=1.0");
        record_.abi_major = *major;
        record_.abi_minor = *minor;
        has_abi = true;
      } else if (key == "tier") {
        if (value != "portable" && value != "exact") {
          damaged("has tier=" + printable(value) + ", expected portable or exact");
        }
        record_.tier = value == "exact" ? KDH_TIER_EXACT : KDH_TIER_PORTABLE;
        has_tier = true;
      } else if (key == "name") {
        record_.name = value;
      } else if (key == "version") {
        record_.version = value;
      } else if (key == "built_with") {
        record_.built_with = value;
      } else {
        record_.fingerprint.emplace_back(std::move(key), std::move(value));
      }
    }
    if (!has_abi) damaged("lacks abi=");
    if (!has_tier) damaged("lacks tier=");
    if (record_.name.empty()) damaged("lacks name=");
    if (record_.tier != KDH_TIER_EXACT) record_.fingerprint.clear();
  }

  void body(std::string_view line) {
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    const std::string_view rest = space == std::string_view::npos ? std::string_view() : line.substr(space + 1);
    if (word == "component") {
      component(rest);
    } else if (word == "param") {
      param(fields(rest, 9, "param"));
    } else if (word == "port") {
      port(fields(rest, 6, "port"));
    } else if (word == "doc") {
      doc(fields(rest, 3, "doc"));
    } else if (word == "cut") {
      const std::vector<std::string_view> parts = fields(rest, 2, "cut");
      if (parts[1] != "doc") owner(parts[0]).complete = false;
    }
    // Other words come from a newer minor version, which may only add lines.
  }

  std::vector<std::string_view> fields(std::string_view rest, std::size_t wanted, const char* word) const {
    std::vector<std::string_view> parts = split(rest, '\t');
    if (parts.size() < wanted) {
      damaged(std::string("has ") + std::to_string(parts.size()) + " fields after '" + word + "', expected " +
              std::to_string(wanted));
    }
    return parts;
  }

  void component(std::string_view rest) {
    const std::size_t tab = rest.find('\t');
    ComponentInfo info;
    bool has_kind = false;
    for (const auto& [key, value] : pairs(rest.substr(0, tab))) {
      if (key == "kind") {
        const auto* found = std::find_if(kKindNames.begin(), kKindNames.end(),
                                         [wanted = value](const auto& k) { return k.first == wanted; });
        if (found == kKindNames.end()) damaged("names the unknown kind " + kdhost::quoted(value));
        info.kind = found->second;
        has_kind = true;
      } else if (key == "id") {
        info.id = value;
      } else if (key == "version") {
        info.version = value;
      } else if (key == "flags") {
        info.flags = parse_number<std::uint32_t>(value).value_or(0);
      }
    }
    if (!has_kind) damaged("lacks kind=");
    if (!is_component_id(info.id))
      damaged("has the badly formed id " + kdhost::quoted(info.id) +
              ", expected parts joined by a dot, as in 'author.name'");
    if (record_.component(info.id) != nullptr)
      damaged("names the component " + kdhost::quoted(info.id) + " a second time");
    if (tab != std::string_view::npos) info.summary = field(rest.substr(tab + 1));
    record_.components.push_back(std::move(info));
  }

  ComponentInfo& owner(std::string_view id) {
    for (ComponentInfo& component : record_.components) {
      if (component.id == id) return component;
    }
    damaged("speaks of the component " + kdhost::quoted(std::string(id)) + ", which no line before it names");
  }

  void param(const std::vector<std::string_view>& parts) {
    ParamInfo info;
    info.name = field(parts[1]);
    info.type = type(parts[2]);
    const auto flags = parse_number<std::uint32_t>(parts[3]);
    if (!flags) damaged("has flags " + kdhost::quoted(std::string(parts[3])) + ", expected a number");
    info.required = (*flags & KDH_PARAM_REQUIRED) != 0;
    info.schedulable = (*flags & KDH_PARAM_SCHEDULABLE) != 0;
    info.is_path = (*flags & KDH_PARAM_PATH) != 0;
    info.min_exclusive = (*flags & KDH_PARAM_MIN_EXCLUSIVE) != 0;
    info.max_exclusive = (*flags & KDH_PARAM_MAX_EXCLUSIVE) != 0;
    if (!parts[4].empty()) {
      info.default_value = Literal(field(parts[4])).parse();
      if (!info.default_value)
        damaged("has the default " + kdhost::quoted(std::string(parts[4])) + ", expected a TOML value");
    }
    info.min = bound(parts[5]);
    info.max = bound(parts[6]);
    if (!parts[7].empty()) {
      for (const std::string_view choice : split_elements(parts[7])) info.choices.push_back(field(choice));
    }
    info.doc = field(parts[8]);
    owner(parts[0]).params.push_back(std::move(info));
  }

  void port(const std::vector<std::string_view>& parts) {
    PortInfo info;
    const bool input = parts[1] == "input";
    if (!input && parts[1] != "output") damaged("has the port direction " + kdhost::quoted(std::string(parts[1])));
    info.name = field(parts[2]);
    const kdh_type found = type(parts[3]);
    if (found != KDH_T_TENSOR && found != KDH_T_TENSOR_LIST) {
      damaged("has a port of type " + kdhost::quoted(std::string(parts[3])) + ", expected tensor or tensor_list");
    }
    info.is_list = found == KDH_T_TENSOR_LIST;
    const auto flags = parse_number<std::uint32_t>(parts[4]);
    if (!flags) damaged("has flags " + kdhost::quoted(std::string(parts[4])) + ", expected a number");
    info.optional = (*flags & KDH_PORT_OPTIONAL) != 0;
    info.doc = field(parts[5]);
    ComponentInfo& component = owner(parts[0]);
    (input ? component.inputs : component.outputs).push_back(std::move(info));
  }

  void doc(const std::vector<std::string_view>& parts) {
    ComponentInfo& component = owner(parts[0]);
    if (parts[1] == "source") component.source = field(parts[2]);
    if (parts[1] == "details") component.details = field(parts[2]);
    if (parts[1] == "recipe") component.recipe = field(parts[2]);
  }

  kdh_type type(std::string_view text) const {
    for (const auto& [name, number] : kTypeNames) {
      if (name == text) return number;
    }
    damaged("has the unknown type " + kdhost::quoted(std::string(text)));
  }

  double bound(std::string_view text) const {
    if (text.empty()) return std::numeric_limits<double>::quiet_NaN();
    const std::optional<double> value = parse_number<double>(text);
    if (!value) damaged("has the bound " + kdhost::quoted(std::string(text)) + ", expected a number");
    return *value;
  }

  std::string_view text_;
  const std::filesystem::path& file_;
  int line_ = 0;
  Record record_;
};

}  // namespace

const ParamInfo* ComponentInfo::param(std::string_view name) const {
  const auto found = std::find_if(params.begin(), params.end(), [&](const ParamInfo& p) { return p.name == name; });
  return found == params.end() ? nullptr : &*found;
}

const PortInfo* ComponentInfo::input(std::string_view name) const {
  const auto found = std::find_if(inputs.begin(), inputs.end(), [&](const PortInfo& p) { return p.name == name; });
  return found == inputs.end() ? nullptr : &*found;
}

const ComponentInfo* Record::component(std::string_view id) const {
  const auto found =
      std::find_if(components.begin(), components.end(), [&](const ComponentInfo& c) { return c.id == id; });
  return found == components.end() ? nullptr : &*found;
}

std::string Record::fingerprint_text() const {
  std::string out;
  for (const auto& [key, value] : fingerprint) out += (out.empty() ? "" : " ") + key + "=" + value;
  return out;
}

std::string kind_name(kdh_kind kind) {
  for (const auto& [name, number] : kKindNames) {
    if (number == kind) return std::string(name);
  }
  return "kind " + std::to_string(kind);
}

std::string tier_name(kdh_tier tier) { return tier == KDH_TIER_EXACT ? "exact" : "portable"; }

std::string param_type_name(kdh_type type) {
  for (const auto& [name, number] : kTypeNames) {
    if (number == type) return std::string(name);
  }
  return "type " + std::to_string(type);
}

std::string param_type_words(kdh_type type) {
  switch (type) {
    case KDH_T_INT:
      return "an integer";
    case KDH_T_FLOAT:
      return "a number";
    case KDH_T_BOOL:
      return "true or false";
    case KDH_T_STRING:
      return "a string";
    case KDH_T_INT_LIST:
      return "a list of integers";
    case KDH_T_FLOAT_LIST:
      return "a list of numbers";
    case KDH_T_STRING_LIST:
      return "a list of strings";
    default:
      return param_type_name(type);
  }
}

std::string range_words(const ParamInfo& param) {
  if (!param.choices.empty()) {
    std::string out = "one of";
    for (std::size_t i = 0; i < param.choices.size(); ++i) out += (i == 0 ? " \"" : ", \"") + param.choices[i] + "\"";
    return out;
  }
  std::string out;
  if (!std::isnan(param.min)) out += (param.min_exclusive ? "> " : ">= ") + shortest(param.min);
  if (!std::isnan(param.max)) {
    if (!out.empty()) out += " and ";
    out += (param.max_exclusive ? "< " : "<= ") + shortest(param.max);
  }
  return out;
}

std::vector<std::pair<std::string, std::string>> parse_fingerprint(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const std::string_view word : split(text, ' ')) {
    const std::size_t equals = word.find('=');
    if (equals != std::string_view::npos && equals > 0) {
      out.emplace_back(word.substr(0, equals), word.substr(equals + 1));
    } else if (!out.empty() && !word.empty()) {
      out.back().second.append(" ").append(word);
    }
  }
  return out;
}

bool is_component_id(std::string_view text) {
  if (text.size() > 200) return false;
  const std::vector<std::string_view> parts = split(text, '.');
  if (parts.size() < 2) return false;
  return std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
  });
}

bool is_clean_text(std::string_view text) {
  // printable() shows a "?" for each byte it does not let through, so it changes exactly the text that is not clean.
  std::string flat(text);
  std::replace_if(
      flat.begin(), flat.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
  return printable(flat, flat.size() + 1) == flat;
}

Record parse_record(std::string_view text, const std::filesystem::path& file) {
  return RecordParser(text, file).parse();
}

Record read_record(const std::filesystem::path& file) { return parse_record(read_record_text(file), file); }

}  // namespace kdhost
