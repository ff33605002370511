// SPDX-License-Identifier: MIT
// Who is in charge of a thread, and where training stands, as crash handler and watchdog read it.
#include "base/in_charge.hpp"

#include <catch2/catch.hpp>
#include <future>
#include <thread>

using namespace kdhost;

TEST_CASE("who is in charge is known while it works, and who was before is so again afterwards") {
  const Charge& outer = charge_of({"run.toml", 7, 3}, "loss.kd", "loss 'zoo.kd' of libzoo.so");
  const Charge& inner = charge_of({}, "student", "model 'zoo.net'");
  CHECK(outer.front == "run.toml:7:3");
  CHECK(inner.front == "student");
  CHECK(duty_here().charge == nullptr);
  {
    const InCharge first(outer, "compute");
    CHECK(duty_here().charge == &outer);
    CHECK(std::string(duty_here().function) == "compute");
    {
      const InCharge second(inner, "forward");
      CHECK(duty_here().charge == &inner);
      CHECK(duty_anywhere().charge == &inner);
    }
    CHECK(duty_here().charge == &outer);
    CHECK(std::string(duty_here().function) == "compute");
  }
  CHECK(duty_here().charge == nullptr);
  CHECK(duty_anywhere().charge == nullptr);
}

TEST_CASE("equal texts are one charge, which lasts as long as the process") {
  const Charge& first = charge_of({"a.toml", 1, 1}, "loss.a", "loss 'a'");
  CHECK(&charge_of({"a.toml", 1, 1}, "loss.a", "loss 'a'") == &first);
  CHECK(&charge_of({"a.toml", 2, 1}, "loss.a", "loss 'a'") != &first);
  CHECK(&charge_of({"a.toml", 1, 1}, "loss.b", "loss 'a'") != &first);
  CHECK(charge_of({}, "a\nb", "c\td").words == "c?d");
  CHECK(charge_of({}, "a\nb", "c\td").front == "a?b");
}

TEST_CASE("another thread at work is seen from a thread that has no charge of its own") {
  const Charge& charge = charge_of({}, "data", "data set 'zoo.rows'");
  std::promise<void> begun, may_end;
  std::thread worker([&] {
    const InCharge guard(charge, "fetch");
    begun.set_value();
    may_end.get_future().wait();
  });
  begun.get_future().wait();
  CHECK(duty_here().charge == nullptr);
  CHECK(duty_anywhere().charge == &charge);
  CHECK(std::string(duty_anywhere().function) == "fetch");
  may_end.set_value();
  worker.join();
  CHECK(duty_anywhere().charge == nullptr);
}

TEST_CASE("entering, leaving and each step are progress") {
  const Charge& charge = charge_of({}, "loss", "loss 'a'");
  const std::uint64_t before = duty_beats();
  { const InCharge guard(charge, "compute"); }
  CHECK(duty_beats() == before + 2);
  note_step(4);
  CHECK(duty_beats() == before + 3);
}

TEST_CASE("where training stands is told in words") {
  CHECK(training_words().empty());
  note_leg("seed 1, distilled");
  note_step(12);
  CHECK(training_words() == "seed 1, distilled, step 12");
  CHECK(checkpoint_words().empty());
  note_saved(10);
  CHECK(checkpoint_words() == "The checkpoint of step 10 is whole: the same command with --resume goes on from it.");
  CHECK(checkpoint_words(true) ==
        "The checkpoint of step 10 is whole: with the plugin mended, the same command with --resume --allow-changes "
        "goes on "
        "from it.");
  note_leg({});
  CHECK(training_words().empty());
  CHECK(checkpoint_words().empty());
}
